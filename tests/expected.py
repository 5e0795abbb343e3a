"""Expected counts that several tests share, each with its derivation. None of them comes from the program."""

CONV1 = 20_992  # (9·9·1 + 1)·256
PRIMARY_CAPS = 5_308_672  # (9·9·256 + 1)·8·32
DIGIT_CAPS = 1_474_560  # 1152·10·8·16
FC1 = 82_432  # (160 + 1)·512
FC2 = 525_312  # (512 + 1)·1024
FC3 = 803_600  # (1024 + 1)·784

PAIRS = 11_520  # 1152 primary capsules × 10 classes: one logit b and one coefficient c for each pair
PAPER = 8_215_568  # the six layers added up
MULTIMNIST = 11_361_808  # 36×36: 20,992 + 5,308,672 + 3200·1280 + 82,432 + 525,312 + 1025·1296

TOTALS = {
    "paper": CONV1 + PRIMARY_CAPS + DIGIT_CAPS + FC1 + FC2 + FC3,
    "article": PAPER + 2 * PAIRS,
    "trainable-logits": PAPER + PAIRS,
    "frozen-logits": PAPER,
    "paper-no-decoder": CONV1 + PRIMARY_CAPS + DIGIT_CAPS,
    "shared-w-grid": PAPER - DIGIT_CAPS + 32 * 10 * 8 * 16,
    "shared-w-all": PAPER - DIGIT_CAPS + 10 * 8 * 16,
    "selected-decoder": PAPER - (160 - 16) * 512,
    "released-code": PAPER + 160,
    "multimnist": CONV1 + PRIMARY_CAPS + 3200 * 1280 + FC1 + FC2 + 1025 * 1296,
    "multimnist-released-code": MULTIMNIST + 160,
    "affnist": CONV1 + PRIMARY_CAPS + 4608 * 1280 + FC1 + FC2 + 1025 * 1600,
    "cifar10": 244 * 256 + 20_737 * 512 + 1024 * 1280 + FC1 + FC2 + 1025 * 1728,
    "cifar10-released-code": 244 * 256 + 20_737 * 512 + 9216 * 1280 + 160,
    "smallnorb": 163 * 256 + PRIMARY_CAPS + 2048 * 640 + 81 * 512 + FC2 + 1025 * 2048,
    "cifar10-32": 244 * 256 + PRIMARY_CAPS + 2048 * 1280 + FC1 + FC2 + 1025 * 3072,
    "svhn": 244 * 64 + 5185 * 96 + 1024 * 480 + 81 * 512 + FC2 + 1025 * 3072,
    "baseline-mnist": 26 * 256 + 6401 * 256 + 6401 * 128 + 100_353 * 328 + 329 * 192 + 193 * 10,
    "baseline-multimnist": 82 * 512 + 12_801 * 256 + 20_737 * 1024 + 1025 * 10,
    "efficient-capsnet": 832 + 18_496 + 36_928 + 73_856 + 2 * (32 + 64 + 64 + 128) + 128 * 82 + 10 * 16 * (8 * 16 + 1),
    "efficient-capsnet-decoder": 161_824 + FC1 + FC2 + FC3,
}
"""Trainable values of each shipped variant."""

FROZEN = {"frozen-logits": PAIRS}
"""Stored values that are not trained, where there are any."""

BUFFERS = dict.fromkeys(("efficient-capsnet", "efficient-capsnet-decoder"), 2 * (32 + 64 + 64 + 128) + 4)
"""Values in buffers, where there are any."""

LAYERS = (
    *("conv1", "conv2", "conv3", "conv4", "bn1", "bn2", "bn3", "bn4"),
    *("primary_caps", "digit_caps", "fc1", "fc2", "fc3"),
)
"""The names of all shipped variants' layers, in the order in which tables show them."""

CLAIM_VERDICTS = {
    "article-official-figure": "misattributed",  # the total of multimnist
    "article-no-public-code": "outdated",  # values of released-code come from it
    "article-convolutional-decoder": "contradicted",  # (160 + 1)·512 and (512 + 1)·1024 are fully connected
    "article-32-primary-capsules": "contradicted",  # 6·6·32 = 1152; 32 is the number of types
    "article-trainable-coefficients": "contradicted",  # 11,361,808 + 2·32,000 is 11.43M, not 11.36M
    "article-digit-1": "disagrees",  # labels are 0 to 9: digit 1 is second
    "article-vector-from-margin": "contradicted",  # 16·(0.9 − 0.95/4)² = 7.0225 is not zero
    "article-lambda": "contradicted",  # the paper gives another purpose
    "article-squares": "not checkable",  # the paper gives no purpose
    "article-decoder-input": "contradicted",  # (16 + 1)·512 = 8,704 is not 82,432
    "article-euclidean-distance": "contradicted",  # √0.25 = 0.5 is not 0.0005·0.25
    "efficient-capsnet-of-capsnet": "misattributed",  # the total of paper-no-decoder
}
"""Verdicts of shipped claims; every other one agrees."""

REFUSED = {
    ("baseline-multimnist", "fully_connected: dropout = 0 at 10"): (
        "fully_connected.dropout is 1; expected a number from 0 up to, not including, 1"
    ),
    ("efficient-capsnet", "layers: stride = 1 at 9"): "primary_caps.kernel (=9) is larger than its input (=3×3)",
    ("efficient-capsnet", "layers 2: stride = 1 at 9"): "primary_caps.kernel (=9) is larger than its input (=4×4)",
    ("efficient-capsnet", "layers 3: stride = 1 at 9"): "primary_caps.kernel (=9) is larger than its input (=4×4)",
    ("efficient-capsnet", "layers 4: stride = 2 at 9"): "primary_caps.kernel (=9) is larger than its input (=6×6)",
    (
        "efficient-capsnet",
        "layers 4: channels = 128 at 11",
    ): "primary_caps.dimension (=8) does not divide its channels (=129)",
    (
        "efficient-capsnet",
        "primary_caps: dimension = 8 at 12",
    ): "primary_caps.dimension (=9) does not divide its channels (=128)",
    ("efficient-capsnet", "primary_caps: kernel = 9 at 9"): "primary_caps.kernel (=10) is larger than its input (=9×9)",
}
"""Numbers of shipped variants that cannot be one larger, and why: the file is refused before anything is compared."""

WITHOUT_EFFECT = {
    ("efficient-capsnet", "primary_caps: stride = 1 at 9"),  # a kernel as large as its input has one place
}
"""Numbers of shipped variants that make no difference when they are one larger."""

AGREEING = {
    "8.2M": [8_215_568, 8_215_728, 8_227_088, 8_238_608],
    "8238608": [8_238_608],
    "6.8M": [6_781_968, 6_804_224],
    "11.36M": [11_361_808, 11_361_968],
    "11.75M": [11_749_120],
    "35.4M": [35_445_522],
    "24.56M": [24_563_978],
    "161K": [161_824],
}
"""The totals of shipped variants that agree with each figure that one of them states."""

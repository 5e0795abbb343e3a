"""Capsule networks as people write them, one way of writing a file: small, and without anything of capsaudit.

12×12 images, 16 channels, 4 types of 8 at 2×2 places (16 capsules), 10 classes of 16: 12 − 5 + 1 = 8; ⌊(8 − 5)/2⌋ + 1 = 2. Each class says
in `DEVIATIONS` which stages differ from the paper.
"""

from tests.parity.networks.bare_parameters import BareParameters, LeakyAndUnmasked, ReluBeforeSquash, RootParameters
from tests.parity.networks.base import Example, squash
from tests.parity.networks.decoder_in_loss import BatchInLoss, DecoderInLoss
from tests.parity.networks.detached import CapsuleByCapsule, Detached, HalfDetached
from tests.parity.networks.four_convolutions import (
    ElementByElement,
    FourConvolutions,
    MeanAgreement,
    Replacing,
    UnknownSquash,
)
from tests.parity.networks.functions import Functions, LogProbabilities, OneHotOutput, PassBefore
from tests.parity.networks.hard_coded_batch import HardCodedBatch
from tests.parity.networks.layer_by_layer import LayerByLayer, OnePassMore, SoftmaxOverInputs
from tests.parity.networks.model_output import BareDecoderEnd, ModelOutput, SoftmaxOfLengths, SoftmaxOfSquares
from tests.parity.networks.one_forward import (
    BareView,
    OneForward,
    OtherActivations,
    Scrambled,
    SquashOverCapsules,
    UnknownScores,
)
from tests.parity.networks.stored_logits import KeptFromCallToCall, StoredAndReplaced, StoredLogits
from tests.parity.networks.unfolded import NoneOfTheAbove, OverAllCapsules, Unfolded

CLEAN: tuple[type[Example], ...] = (
    OneForward,
    LayerByLayer,
    FourConvolutions,
    BareParameters,
    RootParameters,
    Functions,
    Unfolded,
    ModelOutput,
    StoredLogits,
    Detached,
)
DEVIATING: tuple[type[Example], ...] = (
    SoftmaxOverInputs,
    OnePassMore,
    MeanAgreement,
    Replacing,
    BareView,
    SquashOverCapsules,
    Scrambled,
    OtherActivations,
    ElementByElement,
    LeakyAndUnmasked,
    ReluBeforeSquash,
    PassBefore,
    LogProbabilities,
    OneHotOutput,
    OverAllCapsules,
    NoneOfTheAbove,
    SoftmaxOfLengths,
    SoftmaxOfSquares,
    BareDecoderEnd,
    StoredAndReplaced,
    KeptFromCallToCall,
    HalfDetached,
    CapsuleByCapsule,
)

IN_LOSS: tuple[type[Example], ...] = (DecoderInLoss, BatchInLoss)
"""Those whose decoder forward does not call."""

__all__ = [
    "CLEAN",
    "DEVIATING",
    "IN_LOSS",
    "BareView",
    "ElementByElement",
    "Example",
    "FourConvolutions",
    "HardCodedBatch",
    "LayerByLayer",
    "MeanAgreement",
    "OneForward",
    "OnePassMore",
    "Scrambled",
    "SoftmaxOverInputs",
    "SquashOverCapsules",
    "UnknownScores",
    "UnknownSquash",
    "squash",
]

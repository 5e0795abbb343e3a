"""Well-known networks that are no capsule networks, from packages that build them without weights. Nothing is imported until one is built."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from msgspec import Struct
from torch import nn


class Architecture(Struct, frozen=True):
    """A network: the package that has it, and how it is built."""

    package: str
    build: Callable[[], nn.Module]


def _configured(model: str, config: str, settings: dict[str, Any]) -> nn.Module:
    """A model of transformers with its default sizes, or with these."""
    package = import_module("transformers")
    network: nn.Module = getattr(package, model)(getattr(package, config)(**settings))
    return network


def _transformers(model: str, config: str, **settings: Any) -> Architecture:
    return Architecture("transformers", partial(_configured, model, config, settings))


def _created(
    package: str, module: str, function: str, arguments: tuple[str, ...], settings: dict[str, Any]
) -> nn.Module:
    network: nn.Module = getattr(import_module(f"{package}{module}"), function)(*arguments, **settings)
    return network


def _diffusers(model: str, **settings: Any) -> Architecture:
    return Architecture("diffusers", partial(_created, "diffusers", "", model, (), settings))


def _torchvision(name: str, **settings: Any) -> Architecture:
    return Architecture("torchvision", partial(_created, "torchvision", ".models", "get_model", (name,), settings))


def _timm(name: str) -> Architecture:
    return Architecture("timm", partial(_created, "timm", "", "create_model", (name,), {}))


_RESNET: dict[str, Any] = {"use_timm_backbone": False, "backbone": None, "backbone_config": {"model_type": "resnet"}}
_SDXL: dict[str, Any] = {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
    "use_linear_projection": True,
}
_DDPM: dict[str, Any] = {
    "block_out_channels": (128, 256, 256, 256),
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
    "norm_num_groups": 32,
}
_SD_VAE: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}

ARCHITECTURES: dict[str, Architecture] = {
    # vision
    "ConvNeXt": _transformers("ConvNextForImageClassification", "ConvNextConfig"),
    "ConvNeXt V2": _transformers("ConvNextV2ForImageClassification", "ConvNextV2Config"),
    "RegNet": _transformers("RegNetForImageClassification", "RegNetConfig"),
    "ResNet-50": _transformers("ResNetForImageClassification", "ResNetConfig"),
    "BiT": _transformers("BitForImageClassification", "BitConfig"),
    "EfficientNet-B7": _transformers("EfficientNetForImageClassification", "EfficientNetConfig"),
    "MobileNet V1": _transformers("MobileNetV1ForImageClassification", "MobileNetV1Config"),
    "MobileNet V2": _transformers("MobileNetV2ForImageClassification", "MobileNetV2Config"),
    "MobileViT": _transformers("MobileViTForImageClassification", "MobileViTConfig"),
    "LeViT": _transformers("LevitForImageClassification", "LevitConfig"),
    "CvT": _transformers("CvtForImageClassification", "CvtConfig"),
    "PoolFormer": _transformers("PoolFormerForImageClassification", "PoolFormerConfig"),
    "FocalNet": _transformers("FocalNetForImageClassification", "FocalNetConfig"),
    "ViT": _transformers("ViTForImageClassification", "ViTConfig"),
    "DeiT": _transformers("DeiTForImageClassification", "DeiTConfig"),
    "BEiT": _transformers("BeitForImageClassification", "BeitConfig"),
    "ViT MAE": _transformers("ViTMAEForPreTraining", "ViTMAEConfig"),
    "DINOv2": _transformers("Dinov2ForImageClassification", "Dinov2Config"),
    "Swin": _transformers("SwinForImageClassification", "SwinConfig"),
    "Swin V2": _transformers("Swinv2ForImageClassification", "Swinv2Config"),
    "Swin2SR": _transformers("Swin2SRForImageSuperResolution", "Swin2SRConfig"),
    "SegFormer": _transformers("SegformerForSemanticSegmentation", "SegformerConfig"),
    "DPT": _transformers("DPTForDepthEstimation", "DPTConfig"),
    "YOLOS": _transformers("YolosForObjectDetection", "YolosConfig"),
    "DETR": _transformers("DetrForObjectDetection", "DetrConfig", **_RESNET),
    "SAM": _transformers("SamModel", "SamConfig"),
    "VideoMAE": _transformers("VideoMAEForVideoClassification", "VideoMAEConfig"),
    "SuperPoint": _transformers("SuperPointForKeypointDetection", "SuperPointConfig"),
    # images with text
    "CLIP": _transformers("CLIPModel", "CLIPConfig"),
    "SigLIP": _transformers("SiglipModel", "SiglipConfig"),
    "OWL-ViT": _transformers("OwlViTForObjectDetection", "OwlViTConfig"),
    "BLIP": _transformers("BlipForConditionalGeneration", "BlipConfig"),
    # language
    "BERT": _transformers("BertForMaskedLM", "BertConfig"),
    "DistilBERT": _transformers("DistilBertForMaskedLM", "DistilBertConfig"),
    "ALBERT": _transformers("AlbertForMaskedLM", "AlbertConfig"),
    "ConvBERT": _transformers("ConvBertForMaskedLM", "ConvBertConfig"),
    "GPT-2": _transformers("GPT2LMHeadModel", "GPT2Config"),
    "T5": _transformers("T5ForConditionalGeneration", "T5Config"),
    "BART": _transformers("BartForConditionalGeneration", "BartConfig"),
    "Llama": _transformers("LlamaForCausalLM", "LlamaConfig", num_hidden_layers=8),
    "Mixtral": _transformers("MixtralForCausalLM", "MixtralConfig", num_hidden_layers=4),
    "Mamba": _transformers("MambaForCausalLM", "MambaConfig"),
    "RWKV": _transformers("RwkvForCausalLM", "RwkvConfig", num_hidden_layers=8),
    # audio
    "Whisper": _transformers("WhisperForConditionalGeneration", "WhisperConfig"),
    "Wav2Vec2": _transformers("Wav2Vec2ForCTC", "Wav2Vec2Config"),
    "HuBERT": _transformers("HubertForCTC", "HubertConfig"),
    "Audio Spectrogram Transformer": _transformers("ASTForAudioClassification", "ASTConfig"),
    "EnCodec": _transformers("EncodecModel", "EncodecConfig"),
    "SpeechT5 HiFi-GAN": _transformers("SpeechT5HifiGan", "SpeechT5HifiGanConfig"),
    # diffusion
    "Stable Diffusion 1.5 UNet": _diffusers("UNet2DConditionModel", cross_attention_dim=768),
    "Stable Diffusion XL UNet": _diffusers("UNet2DConditionModel", **_SDXL),
    "Stable Diffusion VAE": _diffusers("AutoencoderKL", **_SD_VAE),
    "DDPM U-Net": _diffusers("UNet2DModel", in_channels=3, out_channels=3, **_DDPM),
    "VQ-VAE": _diffusers("VQModel"),
    "ControlNet": _diffusers("ControlNetModel", cross_attention_dim=768),
    "DiT": _diffusers("DiTTransformer2DModel"),
    "PixArt": _diffusers("PixArtTransformer2DModel", caption_channels=4096),
    "Stable Diffusion 3": _diffusers("SD3Transformer2DModel"),
    "Flux": _diffusers("FluxTransformer2DModel", num_layers=2, num_single_layers=4),
    # where torchvision and timm load
    "AlexNet": _torchvision("alexnet"),
    "VGG-11": _torchvision("vgg11", init_weights=False),
    "VGG-16 with batch normalisation": _torchvision("vgg16_bn", init_weights=False),
    "ResNet-18": _torchvision("resnet18"),
    "ResNeXt-50": _torchvision("resnext50_32x4d"),
    "Wide ResNet-50": _torchvision("wide_resnet50_2"),
    "DenseNet-121": _torchvision("densenet121"),
    "SqueezeNet": _torchvision("squeezenet1_1"),
    "GoogLeNet": _torchvision("googlenet", init_weights=False, aux_logits=True),
    "Inception v3": _torchvision("inception_v3", init_weights=False, aux_logits=True),
    "MNASNet": _torchvision("mnasnet1_0"),
    "ShuffleNet V2": _torchvision("shufflenet_v2_x1_0"),
    "MaxViT": _torchvision("maxvit_t"),
    "FCN": _torchvision("fcn_resnet50", weights_backbone=None),
    "DeepLab v3": _torchvision("deeplabv3_resnet50", weights_backbone=None),
    "R3D": _torchvision("r3d_18"),
    "Inception-ResNet v2": _timm("inception_resnet_v2"),
    "RegNetY": _timm("regnety_032"),
    "Xception": _timm("xception41"),
    "NFNet": _timm("nfnet_f0"),
    "MLP-Mixer": _timm("mixer_b16_224"),
    "ConvMixer": _timm("convmixer_768_32"),
    "ResMLP": _timm("resmlp_12_224"),
    "gMLP": _timm("gmlp_s16_224"),
    "CoAtNet": _timm("coatnet_0_224"),
    "VOLO": _timm("volo_d1_224"),
    "HRNet": _timm("hrnet_w18"),
    "LeNet-5": Architecture(
        "torch",
        lambda: nn.Sequential(
            *(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh()),
            *(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)),
        ),
    ),
}

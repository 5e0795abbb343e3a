"""What outside programs read: the keys of every command's JSON, and the schemas that are shipped for it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator
from safetensors.torch import save_file

from capsaudit import api
from capsaudit.render.json import as_json, schemas
from capsaudit.reporting.contents import ReportContents
from tests import schemas as shipped
from tests.processes import invoke
from tests.render import samples
from tests.train import foreign
from tests.train.runs import write_small
from tests.train.tiny import write_tiny

EXAMPLES = Path(__file__).parents[1] / "examples"

Keys = dict[str, Any]
"""Keys, with those of the objects below them; a list is one of objects."""

PARAMETER: Keys = dict.fromkeys(("name", "shape", "count", "trainable"))
LAYER: Keys = dict.fromkeys(
    ("name", "input_shape", "output_shape", "formula", "trainable", "frozen", "buffers", "stated", "verdict")
) | {"parameters": [PARAMETER]}
WITNESSES: Keys = dict.fromkeys(("formula", "torch", "torchinfo"))
COUNT: Keys = dict.fromkeys(("variant", "input_shape", "trainable", "frozen", "stated", "verdict")) | {
    "layers": [LAYER],
    "witnesses": WITNESSES,
}
CHANGE: Keys = dict.fromkeys(("knob", "from", "to"))
STEP: Keys = CHANGE | dict.fromkeys(("difference", "total"))
EXPLANATION: Keys = dict.fromkeys(("total", "assumption_cost", "evidence")) | {"changes": [CHANGE]}
EXCLUDED: Keys = dict.fromkeys(("value", "by", "total"))
CLAIM: Keys = dict.fromkeys(
    ("id", "source", "stated", "about", "verdict", "exact", "also", "true_of", "because"),
)
RUN: Keys = dict.fromkeys(
    (
        *("variant", "data", "seed", "steps", "batch_size", "images_per_second", "peak_memory_bytes"),
        *("counted", "updated", "verdict"),
    )
) | {
    "loss": dict.fromkeys(("first", "last")),
    "accuracy": dict.fromkeys(("before", "after")),
    "parameters": [dict.fromkeys(("name", "count", "updated"))],
}

AUDIT: Keys = dict.fromkeys(
    (
        *("target", "trainable", "frozen", "buffers", "layers", "recognised", "closest", "difference"),
        *("explanations", "warnings", "claims", "verdict"),
    )
)

CONTRACT: dict[str, Keys] = {
    "count": COUNT,
    "compare": {"layers": None, "variants": [COUNT]},
    "explain": {"from": None, "to": None, "steps": [STEP], "difference": None},
    "reconcile": dict.fromkeys(("figure", "interval", "from", "examined", "complete"))
    | {"explanations": [EXPLANATION]},
    "reconcile-model": dict.fromkeys(("figure", "interval", "target", "total", "examined"))
    | {"explanations": [dict.fromkeys(("total", "evidence", "selection")) | {"changes": [CHANGE]}]},
    "joint": {
        "claims": None,
        "satisfied": None,
        "knobs": [{"knob": None, "allowed": None, "excluded": [EXCLUDED]}],
    },
    "claims": {"claims": [CLAIM]},
    "check": {
        "agrees": None,
        "checked": None,
        "failures": [dict.fromkeys(("variant", "layer", "what", "expected", "found"))],
    },
    "train-smoke": {"runs": [RUN]},
    "audit": AUDIT,
    "audits": {"audits": [AUDIT], "faults": None},
    "train": dict.fromkeys(("run", "variant", "epochs", "standard_error"))
    | {"test_error": dict.fromkeys(("last", "chosen"))},
    "train-dry-run": dict.fromkeys(("run", "variant", "epochs")),
    "evaluate": dict.fromkeys(("run", "variant", "epochs", "standard_error"))
    | {"test_error": dict.fromkeys(("last", "chosen"))},
    "variants": {},
    "report": {},
}
"""The keys of the contract, version 2. Those of later work (`known`, `behaviour`) come with that work."""

INTERRUPTED = "train-smoke, interrupted"
"""A sample, because a run that ends by itself has neither an unfinished run nor pictures that were not asked for."""

OUTPUTS: dict[str, list[str]] = {
    "count": ["count article", "count baseline-mnist", "count frozen-logits", "count paper --set image.size=36"],
    "compare": ["compare", "compare WRONG multimnist --witness formula"],
    "explain": [
        "explain article multimnist",
        "explain paper paper-no-decoder",
        "explain paper baseline-multimnist",
        "explain paper paper",
    ],
    "reconcile": ["reconcile 11.36M", "reconcile 12.00M --changes 1", "reconcile 22.48M --witness formula --top 2"],
    "reconcile-model": [
        "reconcile 27,050 --model classifier.py:SmallClassifier",
        "reconcile 5M --model classifier.py:SmallClassifier",
    ],
    "joint": ["reconcile --joint"],
    "claims": ["claims", "claims article --witness formula"],
    "check": ["check WRONG", "check"],
    "train-smoke": [
        "train-smoke TINY --steps 1",
        INTERRUPTED,
        "train-smoke TINY --steps 9 --learning-rate 1e30",
    ],
    "audit": [
        "audit capsnets.claims.toml --against paper",
        "audit classifier.claims.toml",
        "audit capsnets.py:OtherWidths --input 1,28,28 --loss losses.py:loss",
        "audit WRONG_CLAIMS",
        "audit ADAPTER --base classifier.py:SmallClassifier",
    ],
    "audits": ["check OTHER_CLAIMS classifier.claims.toml", "claims WRONG_CLAIMS"],
    "train": ["train SMALL --data digits --epochs 1 --output RUN --pictures PICTURES"],
    "train-dry-run": ["train SMALL --data digits --epochs 1 --output RUN --dry-run"],
    "evaluate": ["evaluate RUN", "evaluate THEIRS --data digits"],
    "variants": ["variants"],
    "report": ["report --check --output nowhere"],
}
"""Command lines whose JSON is looked at; the first of each has every key."""

ALL = [pytest.param(name, line, id=line) for name, lines in OUTPUTS.items() for line in lines]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files that command lines name: a tiny network, a variant that states what is wrong, a claim that is wrong."""
    folder = tmp_path_factory.mktemp("files")
    wrong, claims, other = folder / "wrong.toml", folder / "wrong.claims.toml", folder / "other.claims.toml"
    other.write_text(
        f'source = "me"\ntarget = "{(EXAMPLES / "capsnets.py").as_posix()}:OtherWidths"\ninput = ["1,28,28"]\n[[claims]]\nstated = "8.4M"\n'
    )
    theirs = folder / "theirs.pt"
    torch.save(foreign.one_convolution(api.build(foreign.write_net(folder)).state_dict()), theirs)
    wrong.write_text('extends = "paper"\nsummary = "mine"\n[stated]\nsource = "me"\ntotal = "11.36M"\n')
    claims.write_text(
        f'source = "me"\ntarget = "{(EXAMPLES / "classifier.py").as_posix()}:SmallClassifier"\n'
        '[[claims]]\nlayer = "head"\nstated = "27,040"\n[[claims]]\nstated = "27,000"\n'
    )
    return {
        "ADAPTER": str(write_adapter(folder / "adapter")),
        "TINY": str(write_tiny(folder, "article")),
        "SMALL": str(write_small(folder)),
        "RUN": str(folder / "run"),
        "THEIRS": str(theirs),
        "PICTURES": str(folder / "pictures"),
        "WRONG": str(wrong),
        "WRONG_CLAIMS": str(claims),
        "OTHER_CLAIMS": str(other),
    }


def write_adapter(folder: Path) -> Path:
    """The folder of a LoRA adapter that changes the head of examples/classifier.py, with r = 2."""
    folder.mkdir()
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    factors = {"lora_A": torch.zeros(2, 2704), "lora_B": torch.zeros(10, 2)}
    tensors = {f"base_model.model.head.{name}.weight": factor for name, factor in factors.items()}
    save_file(tensors, folder / "adapter_model.safetensors")
    return folder


@pytest.fixture(scope="module")
def documents(files: dict[str, str]) -> dict[str, Any]:
    """The JSON of each command line."""
    lines = [line for lines in OUTPUTS.values() for line in lines if line != INTERRUPTED]
    found = {line: printed([files.get(word, word) for word in line.split()]) for line in lines}
    return found | {INTERRUPTED: json.loads(as_json(samples.runs()))}


def printed(arguments: list[str]) -> Any:
    done = invoke(*arguments, "--format", "json", cwd=EXAMPLES)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def validator(name: str) -> Draft202012Validator:
    """By the file that is shipped for a command."""
    schema = json.loads((shipped.FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def missing(document: Any, keys: Keys, path: str = "") -> list[str]:
    """Keys that are not there. A list of objects has to have one, or nothing would be looked at."""
    found = []
    for key, below in keys.items():
        if key not in document:
            found.append(f"{path}{key}")
        elif isinstance(below, list):
            assert document[key], f"{path}{key} is empty"
            found += [name for item in document[key] for name in missing(item, below[0], f"{path}{key}.")]
        elif below is not None:
            found += missing(document[key], below, f"{path}{key}.")
    return found


@pytest.mark.parametrize("name", CONTRACT)
def test_json_has_the_keys_of_the_contract(name: str, documents: dict[str, Any]) -> None:
    document = documents[OUTPUTS[name][0]]
    keys = CONTRACT[name]
    if name == "joint":  # a question that is not decided excludes nothing
        document["knobs"] = [question for question in document["knobs"] if question["excluded"]]
    if name == "reconcile":  # the variant itself is an explanation without changes
        document["explanations"] = [each for each in document["explanations"] if each["changes"]]
    assert missing(document, keys) == []


def test_json_says_version_2(documents: dict[str, Any]) -> None:
    assert {line: document["schema"] for line, document in documents.items()} == dict.fromkeys(documents, 2)


@pytest.mark.parametrize(("name", "line"), ALL)
def test_json_is_as_its_schema_says(name: str, line: str, documents: dict[str, Any]) -> None:
    assert [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(documents[line])] == []


def test_the_reports_json_is_as_its_schema_says(tmp_path: Path) -> None:
    assert invoke("report", "--output", "mine", cwd=tmp_path).returncode == 0
    document = json.loads((tmp_path / "mine" / "audit.json").read_text(encoding="utf-8"))
    assert document["schema"] == 2
    Draft202012Validator(schemas([ReportContents])["ReportContents"]).validate(document)


def structs(document: Any, schema: Any, definitions: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Objects of a document, each with the name of the definition that it is an example of."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield name, document
        for key, below in definitions[name]["properties"].items():
            yield from structs(document[key], below, definitions)
    elif isinstance(schema.get("items"), dict):
        for item in document:
            yield from structs(item, schema["items"], definitions)
    elif "anyOf" in schema and document is not None:
        yield from structs(document, schema["anyOf"][0], definitions)


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_document_that_is_wrong_anywhere_is_refused(name: str, documents: dict[str, Any]) -> None:
    """A key that is missing, one that is unknown, a value of another type: in an example of each kind of object."""
    checked = validator(name)
    definitions = checked.schema["$defs"]
    seen = set()
    for line in OUTPUTS[name]:
        document = documents[line]
        for kind, found in structs(document, checked.schema, definitions):
            if kind in seen:
                continue
            seen.add(kind)
            original = dict(found)
            for key in original:
                del found[key]
                assert not checked.is_valid(document), f"{kind} without {key}"
                if expected := definitions[kind]["properties"][key]:  # a knob's value may be anything
                    found[key] = ["wrong"] if expected.get("type") == "object" else {"wrong": None}
                    assert not checked.is_valid(document), f"{kind} with another {key}"
                found[key] = original[key]
            found["unknown"] = 1
            assert not checked.is_valid(document), f"{kind} with an unknown key"
            del found["unknown"]
            assert checked.is_valid(document)
    elsewhere = {
        "audits": {"BehaviourLoss", "AdaptedModel"},  # a loss, or a base, is named for one model at a time
        "evaluate": validator("audit").schema["$defs"].keys(),  # its audit is a whole audit
    }
    assert seen | (elsewhere.get(name, set()) & definitions.keys()) == definitions.keys()


def test_the_shipped_schemas_are_up_to_date() -> None:
    """`python -m tests.schemas` writes them."""
    assert {path.name: path.read_bytes() for path in shipped.FOLDER.iterdir()} == shipped.files()
    assert {name.removesuffix(".json") for name in shipped.files()} == CONTRACT.keys() == OUTPUTS.keys()

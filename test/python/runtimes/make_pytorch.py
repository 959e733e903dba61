"""Models of PyTorch in each format that is served."""

import io
import pickle
import zipfile

import numpy as np
import torch
from cases import Cases

torch.manual_seed(3)
cases = Cases()


def tensor(name, dims, kind="FP32"):
    return f'name: "{name}" data_type: TYPE_{kind} dims: {dims}'


def config(inputs, outputs, more="", batch=8):
    given = " ".join(f"input {{ {one} }}" for one in inputs)
    made = " ".join(f"output {{ {one} }}" for one in outputs)
    return f'platform: "pytorch_libtorch" max_batch_size: {batch} {given} {made} {more}'


def parameter(key, value):
    return f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}'


class Pair(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 3)

    def forward(self, x, y):
        return self.layer(x) + y, self.layer(x) - y


pair = Pair().eval()
x, y = torch.rand(6, 4), torch.rand(6, 3)
more, less = (made.detach().numpy() for made in pair(x, y))


def ask(model, first, second, outputs):
    for part in (slice(0, 1), slice(1, 3), slice(3, 6)):
        answers = {name: array[part] for name, array in outputs.items()}
        cases.ask(model, {first: x[part].numpy(), second: y[part].numpy()}, answers)


# The names of forward's arguments, in any order; the outputs by their index.
script = torch.jit.script(pair)
by_name = config(
    [tensor("y", [3]), tensor("x", [4])],
    [tensor("OUTPUT__1", [3]), tensor("OUTPUT__0", [3])],
    parameter("INTRA_OP_THREAD_COUNT", 1)
    + parameter("INTER_OP_THREAD_COUNT", 1)
    + parameter("DISABLE_OPTIMIZED_EXECUTION", "true")
    + parameter("INFERENCE_MODE", "false")
    + parameter("ENABLE_JIT_PROFILING", "false")
    + parameter("ENABLE_JIT_EXECUTOR", "false")
    + parameter("ENABLE_TENSOR_FUSER", "true")
    + parameter("DISABLE_CUDNN", "true")
    + parameter("ENABLE_CACHE_CLEANING", "true")
    + parameter("ENABLE_WEIGHT_SHARING", "true"),
)
script.save(str(cases.folder("by_name", by_name) / "model.pt"))
ask("by_name", "x", "y", {"OUTPUT__0": more, "OUTPUT__1": less})

by_index = config([tensor("INPUT__1", [3]), tensor("INPUT__0", [4])], [tensor("OUTPUT__0", [3])])
script.save(str(cases.folder("by_index", by_index) / "model.pt"))
ask("by_index", "INPUT__0", "INPUT__1", {"OUTPUT__0": more})

by_order = config([tensor("left", [4]), tensor("right", [3])], [tensor("sum", [3]), tensor("rest", [3])])
script.save(str(cases.folder("by_order", by_order) / "model.pt"))
ask("by_order", "left", "right", {"sum": more, "rest": less})


class Shout(torch.nn.Module):
    def forward(self, texts: list[str]) -> list[str]:
        return [text + "!" for text in texts]


texts = config([tensor("texts", [-1], "STRING")], [tensor("loud", [-1], "STRING")], batch=0)
torch.jit.script(Shout()).save(str(cases.folder("shout", texts) / "model.pt"))
cases.ask("shout", {"texts": ["a", "ü"]}, {"loud": ["a!", "ü!"]})


class Weigh(torch.nn.Module):
    def forward(self, values: dict[str, torch.Tensor]) -> torch.Tensor:
        return values["a"] * 2 + values["b"]


weigh = config([tensor("b", [2]), tensor("a", [2])], [tensor("sum", [2])])
torch.jit.script(Weigh()).save(str(cases.folder("weigh", weigh) / "model.pt"))
ones = np.ones((2, 2), dtype=np.float32)
cases.ask("weigh", {"a": ones, "b": ones}, {"sum": 3 * ones})

# torch.export: shapes and batching are in the file.
rows = torch.export.Dim("rows")
program = torch.export.export(pair, (x, y), dynamic_shapes=({0: rows}, {0: rows}))
torch.export.save(program, cases.folder("program") / "model.pt2")
ask("program", "INPUT__0", "INPUT__1", {"OUTPUT__0": more, "OUTPUT__1": less})

named = config([tensor("ARGS[0]", [4]), tensor("ARGS[1]", [3])], [tensor("RESULT[1]", [3])])
named = named.replace("pytorch_libtorch", "torch_aoti")
torch.export.save(program, cases.folder("called", named) / "model.pt2")
ask("called", "ARGS[0]", "ARGS[1]", {"RESULT[1]": less})

# Compiled ahead of time, for these shapes.
compiled = config([tensor("INPUT__1", [6, 3]), tensor("INPUT__0", [6, 4])], [tensor("OUTPUT__1", [6, 3])], batch=0)
folder = cases.folder("compiled", compiled.replace("pytorch_libtorch", "torch_aoti"))
torch._inductor.aoti_compile_and_package(torch.export.export(pair, (x, y)), package_path=str(folder / "model.pt2"))
cases.ask("compiled", {"INPUT__0": x.numpy(), "INPUT__1": y.numpy()}, {"OUTPUT__1": less})

# A module of one's own with its weights.
own = 'backend: "pytorch" ' + by_order.replace('platform: "pytorch_libtorch"', "")
folder = cases.folder("own", own)
folder.joinpath("model.py").write_text(
    """import torch

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 3)

    def forward(self, x, y):
        return self.layer(x) + y, self.layer(x) - y
"""
)
torch.save(pair.state_dict(), folder / "model.pt")
ask("own", "left", "right", {"sum": more, "rest": less})

# What is refused.
script.save(str(cases.folder("too_few", config([tensor("x", [4])], [tensor("o", [3])])) / "model.pt"))
torch.save(pair.state_dict(), cases.folder("weights", by_order) / "model.pt")


class Evil:
    def __reduce__(self):
        return open, (str(cases.repository / "ran"), "w")


buffer = io.BytesIO()
torch.save((Evil(),), buffer, pickle_module=pickle)
with (
    zipfile.ZipFile(cases.repository / "program/1/model.pt2") as source,
    zipfile.ZipFile(cases.folder("evil") / "model.pt2", "w") as copy,
):
    for member in source.infolist():
        hostile = "sample_inputs" in member.filename
        copy.writestr(member, buffer.getvalue() if hostile else source.read(member))
cases.write()

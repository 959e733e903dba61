"""Asks a server for every digit with Triton's own client, tensors as bytes both ways; prints the digits that came."""

import json
import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

url, folder = sys.argv[1:]
client = http.InferenceServerClient(url)
assert client.is_server_live() and client.is_model_ready("digits")
digits = []
for digit in range(10):
    with open(f"{folder}/{digit}.json", encoding="utf-8") as file:
        image = np.array(json.load(file)["inputs"][0]["data"], np.float32).reshape(1, 1, 8, 8)
    tensor = http.InferInput("image", image.shape, "FP32")
    tensor.set_data_from_numpy(image, binary_data=True)
    wanted = http.InferRequestedOutput("scores", binary_data=True)
    scores = client.infer("digits", [tensor], outputs=[wanted]).as_numpy("scores")
    digits.append(int(scores.argmax()))
try:
    client.get_model_metadata("nope")
except InferenceServerException as error:
    print(error.message())
print(digits)

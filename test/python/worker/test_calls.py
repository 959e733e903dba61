"""Calls to other models, to the server's control, log and metrics."""

import json
import unittest

import numpy as np

from case import FOUR, WorkerCase

CALL = """
def call(requests, **fields):
    return pb_utils.InferenceRequest(
        model_name="other", requested_output_names=["Y"],
        inputs=[pb_utils.Tensor("X", requests[0].inputs()[0].as_numpy())], **fields)
def told(text):
    return [pb_utils.InferenceResponse([pb_utils.Tensor("OUT", np.array([text], dtype=object))])]
"""


class Calls(WorkerCase):
    def text(self, server):
        ran = server.expect("ran")
        self.assertNotIn("error", ran)
        return server.tensor(ran["answers"][0]["outputs"][0])[0].decode()

    def reply(self, server, call, final=True, **tensors):
        block, wires = server.put(list(tensors.items()))
        server.send(
            {"kind": "answer", "call": call, "outputs": wires, "final": final, "block": block}
        )

    def model(self, body):
        return self.started(
            CALL
            + "class TritonPythonModel:\n    def execute(self, requests):\n"
            + "".join(f"        {line}\n" for line in body.splitlines())
        )

    def test_a_call_says_all_that_the_model_gave_it(self):
        server = self.model(
            """
response = call(requests, request_id="i", correlation_id=2**63, model_version=3, flags=1, timeout=9,
    parameters={"n": 1, "t": "x"}, trace=requests[0].trace(),
    preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0)).exec()
y = pb_utils.get_output_tensor_by_name(response, "Y").as_numpy()
return told(json.dumps([y.tolist(), response.has_error(), json.loads(response.parameters())]))"""
        )
        server.run(7, [{"IN": FOUR}, {"IN": FOUR}], trace={"id": "4", "traceparent": "00-1"})
        infer = server.expect("infer")
        request = infer.pop("request")
        ((name, datatype, shape, at, length),) = request.pop("inputs")
        self.assertEqual((name, datatype, shape, length), ("X", "FP32", [4], 16))
        self.assertEqual(infer.pop("block"), at)
        self.assertEqual(
            infer,
            {
                "kind": "infer", "call": 1, "model": "other", "version": "3", "run": 7, "index": 0,
                "decoupled": False,
            },
        )  # fmt: skip
        self.assertEqual(
            request,
            {
                "id": "i", "correlation": ["9223372036854775808"], "flags": 1, "timeout": 9, "outputs": ["Y"],
                "parameters": {"n": ["1"], "t": "x"}, "trace": {"id": "4", "traceparent": "00-1"},
            },
        )  # fmt: skip
        block, wires = server.put([("Y", np.array([5], np.int32))])
        server.send(
            {
                "kind": "answer", "call": 1, "outputs": wires, "final": True, "block": block,
                "parameters": {"p": ["2"]},
            }
        )  # fmt: skip
        ran = server.expect("ran")
        self.assertIn("error", ran)  # one response for two requests
        self.assertEqual(sorted(server.freed), sorted([0, block]))

    def test_errors_of_other_models_are_responses(self):
        server = self.model(
            """
response = call(requests).exec()
return told("%s %s %s" % (response.has_error(), response.error().message(), response.error().code().name))"""
        )
        server.run(1, [{"IN": FOUR}])
        infer = server.expect("infer")
        self.assertEqual((infer["version"], infer["run"], infer["index"]), ("", 1, 0))
        server.send(
            {
                "kind": "answer", "call": infer["call"], "final": True,
                "error": {"message": "not there", "code": "NOT_FOUND"},
            }
        )  # fmt: skip
        self.assertEqual(self.text(server), "True not there NOT_FOUND")

    def test_responses_of_a_decoupled_model_come_one_by_one_and_can_be_gone_through_again(self):
        server = self.model(
            """
responses = call(requests).exec(decoupled=True)
values = []
for _ in range(2):
    for response in responses:
        values.append([tensor.as_numpy().tolist() for tensor in response.output_tensors()])
return told(json.dumps(values))"""
        )
        server.run(1, [{"IN": FOUR}])
        number = server.expect("infer")["call"]
        for value in (1, 2):
            self.reply(server, number, final=False, Y=np.array([value], np.int64))
            self.assertEqual(server.expect("taken")["call"], number)
        server.send({"kind": "answer", "call": number, "final": True})
        self.assertEqual(json.loads(self.text(server)), [[[1]], [[2]], []] * 2)

    def test_an_iterator_that_is_cancelled_or_dropped_stops_the_other_model(self):
        server = self.model(
            """
first = call(requests).exec(decoupled=True)
first.cancel()
for response in first:
    pass
second = call(requests).exec(decoupled=True)
del second
return told("ok")"""
        )
        server.run(1, [{"IN": FOUR}])
        number = server.expect("infer")["call"]
        self.reply(server, number, final=False, Y=np.ones(1))
        self.assertEqual(server.expect("stop")["call"], number)
        server.send({"kind": "answer", "call": number, "final": True})
        number = server.expect("infer")["call"]
        self.reply(server, number, final=False, Y=np.ones(1))
        self.assertEqual(server.expect("stop")["call"], number)
        self.assertEqual(self.text(server), "ok")
        # What still comes is freed unread.
        block = server.next
        self.reply(server, number, final=True, Y=np.ones(1))
        self.assertEqual(self.answer_free(server), block)

    def answer_free(self, server):
        server.freed.clear()
        server.run(2, [{"IN": FOUR}])
        number = server.expect("infer")["call"]
        self.reply(server, number, Y=np.ones(1))
        return server.freed[0]

    def test_coroutines_call_at_the_same_time(self):
        server = self.started(
            CALL
            + """
import asyncio
class TritonPythonModel:
    async def execute(self, requests):
        responses = await asyncio.gather(*[call(requests, request_id=str(i)).async_exec() for i in range(40)])
        return told(json.dumps([r.output_tensors()[0].as_numpy().tolist() for r in responses]))
"""
        )
        server.run(1, [{"IN": FOUR}])
        infers = [server.expect("infer") for _ in range(40)]
        for infer in reversed(infers):
            self.reply(server, infer["call"], Y=np.array([int(infer["request"]["id"])]))
        self.assertEqual(json.loads(self.text(server)), [[i] for i in range(40)])

    def test_a_model_with_an_event_loop_of_its_own_calls_too(self):
        server = self.model(
            """
import asyncio
async def both():
    return await asyncio.gather(call(requests).async_exec(), call(requests).async_exec(decoupled=True))
one, many = asyncio.run(both())
return told(json.dumps([one.output_tensors()[0].as_numpy().tolist(), len(list(many))]))"""
        )
        server.run(1, [{"IN": FOUR}])
        for infer in [server.expect("infer"), server.expect("infer")]:
            self.reply(server, infer["call"], Y=np.array([4]))
        self.assertEqual(json.loads(self.text(server)), [[4], 1])

    def test_threads_call_while_the_model_executes(self):
        server = self.model(
            """
import threading
results = []
def work(i):
    results.append(call(requests, request_id=str(i)).exec().output_tensors()[0].as_numpy().tolist())
threads = [threading.Thread(target=work, args=[i]) for i in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
return told(json.dumps(sorted(results)))"""
        )
        server.run(1, [{"IN": FOUR}])
        for _ in range(8):
            infer = server.expect("infer")
            self.reply(server, infer["call"], Y=np.array([int(infer["request"]["id"])]))
        self.assertEqual(json.loads(self.text(server)), [[i] for i in range(8)])

    def test_calls_outside_of_execute_are_refused(self):
        path = self.write(
            """
class TritonPythonModel:
    def initialize(self, args):
        pb_utils.InferenceRequest(model_name="o", requested_output_names=[], inputs=[]).exec()
"""
        )
        server = self.double()
        server.open(path)
        self.assertTrue(
            server.start()["error"]["message"].startswith(
                "TritonModelException: BLS is only supported during the 'execute' function."
            )
        )

    def test_models_are_loaded_unloaded_and_asked_after(self):
        server = self.model(
            """
pb_utils.load_model("other", config="{}", files={"file:1/model.py": b"\\x00x"})
pb_utils.unload_model("other", unload_dependents=True)
ready = pb_utils.is_model_ready(model_name="other", model_version="2")
try:
    pb_utils.load_model(model_name="third")
except pb_utils.TritonModelException as error:
    return told("%s %s" % (ready, error))"""
        )
        server.run(1, [{"IN": FOUR}])
        replies = [{"result": True}] * 3 + [{"error": {"message": "no such model"}}]
        controls = []
        for reply in replies:
            control = server.expect("control")
            server.send({"kind": "controlled", "call": control.pop("call"), **reply})
            controls.append(control)
        self.assertEqual(
            controls,
            [
                {
                    "kind": "control", "action": "load", "model": "other", "config": "{}",
                    "files": {"1/model.py": "AHg="},
                },
                {"kind": "control", "action": "unload", "model": "other", "dependents": True},
                {"kind": "control", "action": "ready", "model": "other", "version": "2"},
                {"kind": "control", "action": "load", "model": "third", "config": ""},
            ],
        )  # fmt: skip
        self.assertEqual(
            self.text(server),
            "True Failed to load model: Failed to process the request for model 'm_0_0', message: no such model",
        )

    def test_log_lines_say_where_they_come_from(self):
        server = self.model(
            """
logger = pb_utils.Logger
logger.log("a")
logger.log("b", logger.WARNING)
logger.log_error("c\\r\\nd")
logger.log_verbose("e")
return told("")"""
        )
        server.run(1, [{"IN": FOUR}])
        logs = [server.expect("log") for _ in range(4)]
        self.assertEqual(
            [(log["level"], log["message"], log["file"]) for log in logs],
            [
                ("info", "a", "model.py"),
                ("warning", "b", "model.py"),
                ("error", "c\r\nd", "model.py"),
                ("verbose", "e", "model.py"),
            ],
        )
        lines = [log["line"] for log in logs]
        self.assertEqual(lines, list(range(lines[0], lines[0] + 4)))

    def test_metrics_are_made_changed_read_and_dropped(self):
        server = self.model(
            """
family = pb_utils.MetricFamily(name="f", description="d", kind=pb_utils.MetricFamily.COUNTER)
metric = family.Metric(labels={"a": "b"})
metric.increment(2)
texts = [str(metric.value())]
times = pb_utils.MetricFamily("h", "", pb_utils.MetricFamily.HISTOGRAM)
times.Metric(buckets=[1, 2.5]).observe(0.5)
for arguments in [{}, {"labels": 1}, {"buckets": 1}]:
    try:
        times.Metric(**arguments)
    except pb_utils.TritonModelException as error:
        texts.append(str(error))
try:
    metric.set(float("nan"))
except pb_utils.TritonModelException as error:
    texts.append(str(error))
del family
try:
    metric.increment(1)
except pb_utils.TritonModelException as error:
    texts.append(str(error)[:61])
return told(json.dumps(texts))"""
        )
        server.run(1, [{"IN": FOUR}])
        frames = []
        while True:
            frame = server.receive()
            if frame["kind"] == "ran":
                break
            ask = frame.pop("ask", None)
            if ask is not None:
                server.send({"kind": "metric", "ask": ask, "value": 42})
            frames.append(frame)
        family, metric = frames[0]["family"], frames[1]["metric"]
        self.assertEqual(
            frames[:4],
            [
                {
                    "kind": "metric", "action": "family", "family": family, "name": "f", "description": "d",
                    "type": "counter",
                },
                {"kind": "metric", "action": "metric", "family": family, "metric": metric, "labels": {"a": "b"}},
                {"kind": "metric", "action": "increment", "metric": metric, "value": 2},
                {"kind": "metric", "action": "value", "metric": metric},
            ],
        )  # fmt: skip
        self.assertEqual(frames[5]["buckets"], [1, 2.5])
        self.assertIn({"kind": "metric", "action": "drop", "family": family}, frames)
        self.assertEqual(
            json.loads(server.tensor(frame["answers"][0]["outputs"][0])[0]),
            [
                "42.0",
                "Failed to create metric. Missing required buckets.",
                "Failed to create metric. Labels must be a dictionary.",
                "Failed to create metric. Buckets must be a list.",
                "Failed to set metric value: the value must be finite, got nan",
                "Failed to increment metric value: Invalid metric operation as",
            ],
        )


if __name__ == "__main__":
    unittest.main()

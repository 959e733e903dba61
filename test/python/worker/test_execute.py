"""Executing requests: tensors in and out, errors, and what a model may return."""

import random
import unittest

import numpy as np

from case import CONFIG, FOUR, WorkerCase
from server_double import DTYPES

IDENTITY = """
return [
    pb_utils.InferenceResponse([pb_utils.Tensor("OUT", request.inputs()[0].as_numpy())])
    for request in requests
]
"""


class Execute(WorkerCase):
    def test_every_datatype_comes_back_as_it_was_sent(self):
        server = self.execute(IDENTITY)
        arrays = [
            np.array([[0, 1, 1], [1, 0, 1]], dtype=code)
            for name, code in DTYPES.items()
            if name != "BF16"
        ]
        arrays.append(np.array([b"", b"\xff\x00", "ü".encode() * 1000], dtype=object))
        arrays.append(np.zeros((0, 3), np.float32))
        arrays.append(np.array(7, np.int64))
        for array in arrays:
            with self.subTest(dtype=array.dtype, shape=array.shape):
                ran = self.answer(server, {"IN": array})
                out = self.outputs(server, ran["answers"][0]["outputs"])["OUT"]
                self.assertEqual(out.tolist(), array.tolist())
                self.assertEqual(out.shape, array.shape)

    def test_several_requests_are_answered_in_their_order(self):
        server = self.execute(IDENTITY)
        server.run(5, [{"IN": FOUR + index} for index in range(7)])
        ran = server.receive()
        self.assertEqual((ran["kind"], ran["run"]), ("ran", 5))
        for index, answer in enumerate(ran["answers"]):
            self.assertEqual(server.tensor(answer["outputs"][0]).tolist(), (FOUR + index).tolist())

    def test_an_input_block_is_freed_in_the_answer_and_kept_for_a_model_that_keeps_it(self):
        server = self.execute(
            """
            kept = getattr(self, "kept", None)
            self.kept = requests[0].inputs()[0].as_numpy()[1:]
            return [pb_utils.InferenceResponse([pb_utils.Tensor("OUT", self.kept if kept is None else kept)])]
            """
        )
        self.answer(server, {"IN": FOUR})
        self.assertEqual(server.freed, [])
        ran = self.answer(server, {"IN": FOUR + 10})
        self.assertEqual(server.tensor(ran["answers"][0]["outputs"][0]).tolist(), [1, 2, 3])
        self.assertEqual(server.freed, [0])

    def test_a_block_that_is_let_go_while_idle_is_told_at_once(self):
        server = self.execute(
            """
            import threading, weakref
            array = requests[0].inputs()[0].as_numpy()
            self.event = threading.Event()
            def hold(array):
                self.event.wait()
            self.thread = threading.Thread(target=hold, args=(array,), daemon=True)
            self.thread.start()
            threading.Timer(0.05, self.event.set).start()
            return [pb_utils.InferenceResponse()]
            """
        )
        self.answer(server)
        while not server.freed:
            server.freed.extend(server.receive_raw().get("free", ()))
        self.assertEqual(server.freed, [0])

    def test_memory_of_answers_is_used_again_once_it_is_freed(self):
        server = self.execute(IDENTITY)
        blocks = set()
        for _ in range(50):
            ran = self.answer(server)
            blocks.add(ran["block"])
            server.send({"kind": "free", "free": [ran["block"]]})
        self.assertLessEqual(len(blocks), 2)

    def test_memory_grows_by_segments_that_are_told_before_they_are_used(self):
        server = self.execute(
            'return [pb_utils.InferenceResponse([pb_utils.Tensor("OUT", np.full(300000, i, np.float64))])'
            " for i in range(len(requests))]",
            memory=[1 << 20, 1 << 30],
        )
        server.run(1, [{"IN": FOUR}])
        grown = server.receive_raw()
        self.assertEqual(grown["grown"] % 65536, 0)
        ran = server.expect("ran")
        self.assertGreaterEqual(ran["block"], 1 << 20)
        self.assertLessEqual(ran["block"] + 2400000, grown["grown"])
        self.assertEqual(server.tensor(ran["answers"][0]["outputs"][0]).shape, (300000,))

    def test_memory_beyond_the_limit_fails_the_answer_and_not_the_worker(self):
        server = self.execute(
            'return [pb_utils.InferenceResponse([pb_utils.Tensor("OUT",'
            " np.zeros(int(requests[0].inputs()[0].as_numpy()[0])))])]",
            memory=[1 << 20, 4 << 20],
        )
        ran = self.answer(server, {"IN": np.array([1 << 20], np.float32)})
        self.assertIn("would exceed the limit of 4194304 bytes", ran["error"]["message"])
        self.assertIn(
            "outputs", self.answer(server, {"IN": np.array([3], np.float32)})["answers"][0]
        )

    def test_memory_stays_bounded_over_answers_of_all_sizes(self):
        seed = random.randrange(1 << 32)
        random_ = random.Random(seed)
        server = self.execute(IDENTITY, memory=[1 << 20, 32 << 20])
        held = []
        for _ in range(400):
            array = np.full(random_.randrange(1, 60_000), random_.random(), np.float32)
            server.next = 0
            ran = self.answer(server, {"IN": array})
            self.assertNotIn("error", ran, f"seed {seed}")
            out = server.tensor(ran["answers"][0]["outputs"][0])
            self.assertEqual((out.size, out[-1]), (array.size, array[-1]), f"seed {seed}")
            held.append(ran["block"])
            if len(held) > 4:
                random_.shuffle(held)
                server.send({"kind": "free", "free": [held.pop()]})

    def test_only_outputs_that_were_asked_for_are_sent(self):
        server = self.execute(
            """
            names = sorted(requests[0].requested_output_names())
            return [pb_utils.InferenceResponse([
                pb_utils.Tensor("A", np.array([1])), pb_utils.Tensor("B", np.array(names, dtype=object)),
                pb_utils.Tensor("C", np.array([1]))])]
            """,
            config={**CONFIG, "output": [{"name": "A"}, {"name": "B"}]},
        )
        ran = self.answer(server)
        self.assertEqual([wire[0] for wire in ran["answers"][0]["outputs"]], ["A", "B"])
        ran = self.answer(server, outputs=["B"])
        out = self.outputs(server, ran["answers"][0]["outputs"])
        self.assertEqual({name: array.tolist() for name, array in out.items()}, {"B": [b"B"]})

    def test_a_request_tells_what_came_with_it(self):
        server = self.execute(
            """
            r = requests[0]
            text = json.dumps([r.request_id(), r.correlation_id(), r.flags(), r.timeout(),
                json.loads(r.parameters()), r.is_cancelled(), r.trace().get_context()])
            return [pb_utils.InferenceResponse([pb_utils.Tensor("OUT", np.array([text], dtype=object))])]
            """
        )
        ran = self.answer(
            server,
            id="x",
            correlation=["18446744073709551615"],
            flags=3,
            timeout=12,
            parameters={"a": ["9007199254740993"], "b": True, "c": "d", "e": 1.5},
            trace={"id": "1", "traceparent": "00-ab-cd-01"},
        )
        self.assertEqual(
            __import__("json").loads(server.tensor(ran["answers"][0]["outputs"][0])[0]),
            [
                "x",
                18446744073709551615,
                3,
                12,
                {"a": 9007199254740993, "b": True, "c": "d", "e": 1.5},
                False,
                '{"traceparent": "00-ab-cd-01"}',
            ],
        )
        ran = self.answer(server)
        self.assertEqual(
            __import__("json").loads(server.tensor(ran["answers"][0]["outputs"][0])[0]),
            ["", 0, 0, 0, {}, False, None],
        )

    def test_errors_and_parameters_of_single_responses_are_told_apart(self):
        server = self.execute(
            """
            return [
                pb_utils.InferenceResponse(error=pb_utils.TritonError("no", pb_utils.TritonError.NOT_FOUND)),
                pb_utils.InferenceResponse([], None, {"n": 3, "t": "x", "b": False}),
                pb_utils.InferenceResponse(error=pb_utils.TritonError("bare")),
            ]
            """
        )
        server.run(1, [{"IN": FOUR}] * 3)
        self.assertEqual(
            server.expect("ran")["answers"],
            [
                {"error": {"message": "no", "code": "NOT_FOUND"}},
                {"outputs": [], "parameters": {"n": ["3"], "t": "x", "b": False}},
                {"error": {"message": "bare", "code": "INTERNAL"}},
            ],
        )

    def test_an_exception_is_told_with_the_frames_of_the_model_and_frees_its_inputs(self):
        server = self.execute(
            "raise ValueError('bad ' + str(requests[0].inputs()[0].as_numpy().sum()))"
        )
        error = self.answer(server)["error"]
        path = self.folder + "/model.py"
        self.assertEqual(
            error["message"],
            "Failed to process the request(s) for model 'm_0_0', message: ValueError: bad 6.0\n\nAt:\n"
            f"  {path}(7): execute\n",
        )
        self.assertEqual(server.freed, [0])

    def test_what_execute_must_not_return_is_told_as_triton_does(self):
        cases = {
            "return 3": "Expected a list in the execute return, found type '<class 'int'>'.",
            "return []": "Number of InferenceResponse objects do not match the number of InferenceRequest objects. "
            "InferenceRequest(s) size is:1, and InferenceResponse(s) size is:0\n",
            "return [5]": "Expected an 'InferenceResponse' object in the execute function return list, "
            "found type '<class 'int'>'.",
            "raise SystemExit(3)": "SystemExit: 3\n\nAt:\n",
            "pb_utils.Tensor('', np.zeros(1))": "TritonModelException: Tensor name cannot be an empty string.\n\nAt:\n",
            "pb_utils.Tensor('A', np.array(['a']))": "TritonModelException: NumPy dtype is not supported.\n\nAt:\n",
        }
        for body, expected in cases.items():
            with self.subTest(body):
                error = self.answer(self.execute(body))["error"]
                prefix = "Failed to process the request(s) for model 'm_0_0', message: "
                self.assertTrue(error["message"].startswith(prefix + expected), error)

    def test_a_model_without_execute_says_so(self):
        server = self.started("class TritonPythonModel:\n    pass\n")
        self.assertTrue(
            self.answer(server)["error"]["message"].endswith("does not implement `execute` method.")
        )

    def test_a_request_can_be_asked_to_run_again(self):
        server = self.execute(
            """
            requests[0].set_release_flags(pb_utils.TRITONSERVER_REQUEST_RELEASE_RESCHEDULE)
            return [None, pb_utils.InferenceResponse()]
            """
        )
        server.run(1, [{"IN": FOUR}] * 2)
        self.assertEqual(server.expect("ran")["answers"], [{"again": True}, {"outputs": []}])

    def test_bf16_goes_through_dlpack_without_ml_dtypes(self):
        server = self.execute(
            """
            tensor = requests[0].inputs()[0]
            again = pb_utils.Tensor.from_dlpack("OUT", tensor)
            assert again.triton_dtype() == 14, again.triton_dtype()
            return [pb_utils.InferenceResponse([again])]
            """
        )
        block, (wire,) = server.put([("IN", np.array([1, 2, 65535], np.uint16))])
        wire[1] = "BF16"
        server.send(
            {
                "kind": "run",
                "run": 1,
                "decoupled": False,
                "requests": [{"inputs": [wire]}],
                "block": block,
            }
        )
        ran = server.expect("ran")
        (out,) = ran["answers"][0]["outputs"]
        self.assertEqual((out[1], server.tensor(out).tolist()), ("BF16", [1, 2, 65535]))

    def test_views_of_other_layouts_are_sent_in_c_order(self):
        server = self.execute(
            'return [pb_utils.InferenceResponse([pb_utils.Tensor("OUT",'
            " requests[0].inputs()[0].as_numpy().T[::-1])])]"
        )
        array = np.arange(6, dtype=np.float32).reshape(2, 3)
        ran = self.answer(server, {"IN": array})
        out = server.tensor(ran["answers"][0]["outputs"][0])
        self.assertEqual(out.tolist(), array.T[::-1].tolist())


if __name__ == "__main__":
    unittest.main()

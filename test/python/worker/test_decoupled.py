"""Responses sent one by one: senders, credits, cancellation, coroutines."""

import unittest

from case import FOUR, WorkerCase
from server_double import PATIENCE_SECONDS


class Decoupled(WorkerCase):
    def sent(self, server, count):
        return [server.expect("sent") for _ in range(count)]

    def test_a_model_sends_as_many_responses_as_it_likes_and_then_the_last(self):
        server = self.execute(
            """
            for request in requests:
                sender = request.get_response_sender()
                for value in request.inputs()[0].as_numpy():
                    sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("OUT", np.array([value]))]))
                sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
            """
        )
        server.run(3, [{"IN": FOUR}] * 2, decoupled=True)
        for index in range(2):
            sent = self.sent(server, 5)
            self.assertEqual([frame["index"] for frame in sent], [index] * 5)
            self.assertEqual([frame["final"] for frame in sent], [False] * 4 + [True])
            self.assertEqual(
                [server.tensor(frame["outputs"][0])[0] for frame in sent[:4]], FOUR.tolist()
            )
            self.assertNotIn("outputs", sent[4])
        self.assertEqual(server.expect("ran")["answers"], [])

    def test_a_thread_sends_after_execute_has_returned(self):
        server = self.execute(
            """
            import threading
            def answer(sender):
                sender.send(pb_utils.InferenceResponse(), 1)
            for request in requests:
                threading.Timer(0.05, answer, [request.get_response_sender()]).start()
            """
        )
        server.run(1, [{"IN": FOUR}], decoupled=True)
        self.assertEqual(server.receive()["kind"], "ran")
        self.assertEqual(server.receive(), {
            "kind": "sent", "run": 1, "index": 0, "final": True, "outputs": [],
        })  # fmt: skip

    def test_misuse_of_a_sender_is_told_to_the_model(self):
        server = self.execute(
            """
            sender = requests[0].get_response_sender()
            empty = pb_utils.InferenceResponse
            texts = []
            for arguments in [(), (empty(), 7), (empty(), 1), (empty(),), (None, 1)]:
                try:
                    sender.send(*arguments)
                    texts.append("sent")
                except pb_utils.TritonModelException as error:
                    texts.append(str(error))
            pb_utils.Logger.log_info(json.dumps(texts))
            """
        )
        server.run(1, [{"IN": FOUR}], decoupled=True)
        self.assertEqual(
            __import__("json").loads(server.expect("log")["message"]),
            [
                "Inference Response object must be provided when the response flags is set to zero.",
                "Unable to send response. Unsupported flag provided.",
                "sent",
                "Unable to send response. Response sender has been closed.",
                "Unable to send response. Response sender has been closed.",
            ],
        )

    def test_a_decoupled_model_must_not_return_responses(self):
        server = self.execute("return [pb_utils.InferenceResponse()]")
        server.run(1, [{"IN": FOUR}], decoupled=True)
        self.assertIn(
            "Python model 'm_0_0' is using the decoupled mode and the execute function must return None.",
            server.expect("ran")["error"]["message"],
        )

    def test_a_request_that_the_model_forgets_is_ended(self):
        server = self.execute("return None")
        server.run(1, [{"IN": FOUR}], decoupled=True)
        self.assertEqual(server.receive(), {"kind": "sent", "run": 1, "index": 0, "final": True})
        self.assertEqual(server.receive()["kind"], "ran")

    def test_a_request_that_runs_again_is_told_so(self):
        server = self.execute(
            """
            requests[0].get_response_sender().send(pb_utils.InferenceResponse())
            requests[0].set_release_flags(pb_utils.TRITONSERVER_REQUEST_RELEASE_RESCHEDULE)
            """
        )
        server.run(1, [{"IN": FOUR}], decoupled=True)
        self.assertEqual(
            [(f["final"], f.get("again")) for f in self.sent(server, 2)],
            [(False, None), (True, True)],
        )
        self.assertEqual(server.expect("ran")["answers"], [])

    def test_a_model_that_is_not_decoupled_may_answer_once_through_a_sender(self):
        server = self.execute(
            """
            sender = requests[0].get_response_sender()
            try:
                sender.send(flags=1)
            except pb_utils.TritonModelException as error:
                pb_utils.Logger.log_info(str(error))
            sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("OUT", np.ones(1))]))
            try:
                sender.send(pb_utils.InferenceResponse())
            except pb_utils.TritonModelException as error:
                pb_utils.Logger.log_info(str(error))
            sender.send(flags=1)
            """
        )
        server.run(1, [{"IN": FOUR}])
        self.assertIn("cannot send complete final before sending", server.expect("log")["message"])
        first = server.expect("sent")
        self.assertEqual(server.tensor(first["outputs"][0]).tolist(), [1])
        self.assertIn("cannot send more than one response", server.expect("log")["message"])
        self.assertTrue(server.expect("sent")["final"])
        self.assertEqual(server.expect("ran")["answers"], [None])

    def test_a_request_that_a_model_neither_answers_nor_keeps_fails(self):
        server = self.execute("return [None]")
        server.run(1, [{"IN": FOUR}])
        sent = server.expect("sent")
        self.assertEqual(sent["error"]["code"], "INTERNAL")
        self.assertEqual(server.expect("ran")["answers"], [None])

    def test_a_sender_waits_for_credits(self):
        server = self.execute(
            """
            sender = requests[0].get_response_sender()
            for index in range(6):
                sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("OUT", np.array([index]))]))
                pb_utils.Logger.log_info("sent %d" % index)
            sender.send(flags=1)
            """,
            credits=2,
        )
        server.run(1, [{"IN": FOUR}], decoupled=True)
        kinds = [server.receive()["kind"] for _ in range(4)]
        self.assertEqual(kinds, ["sent", "log"] * 2)
        for _ in range(4):
            self.assertEqual(self.idle_frames(server), [])
            server.send({"kind": "credit", "run": 1, "index": 0})
            self.assertEqual([server.receive()["kind"] for _ in range(2)], ["sent", "log"])
        self.assertTrue(server.receive()["final"])
        self.assertEqual(server.receive()["kind"], "ran")

    def idle_frames(self, server):
        server.socket.settimeout(0.05)
        try:
            return [server.receive()]
        except OSError:
            return []
        finally:
            server.socket.settimeout(PATIENCE_SECONDS)

    def test_a_cancelled_request_waits_for_no_credits_and_knows_of_it(self):
        server = self.execute(
            """
            sender = requests[0].get_response_sender()
            count = 0
            while not sender.is_cancelled():
                sender.send(pb_utils.InferenceResponse())
                count += 1
            assert requests[0].is_cancelled()
            sender.send(pb_utils.InferenceResponse())
            sender.send(flags=1)
            """,
            credits=3,
        )
        server.run(1, [{"IN": FOUR}], decoupled=True)
        self.sent(server, 3)
        server.send({"kind": "cancel", "run": 1, "index": 0})
        self.assertEqual(server.receive(), {"kind": "sent", "run": 1, "index": 0, "final": True})
        self.assertEqual(server.receive()["kind"], "ran")

    def test_a_request_that_is_cancelled_while_its_run_waits_knows_of_it(self):
        server = self.execute(
            """
            cancelled = [request.is_cancelled() for request in requests]
            return [pb_utils.InferenceResponse([pb_utils.Tensor("OUT", np.array(cancelled))])] * 2
            """
        )
        for run in range(1, 6):
            # In one piece: both frames are read before the run begins.
            _block, wires = server.put([("IN", FOUR)])
            frames = [
                {
                    "kind": "run",
                    "run": run,
                    "decoupled": False,
                    "requests": [{"inputs": wires}] * 2,
                },
                {"kind": "cancel", "run": run, "index": 1},
            ]
            server.send_all(frames)
            ran = server.expect("ran")
            self.assertEqual(server.tensor(ran["answers"][0]["outputs"][0]).tolist(), [False, True])

    def test_a_thread_that_waits_for_credits_of_a_failed_run_is_let_go(self):
        server = self.execute(
            """
            import threading
            if requests[0].request_id() == "next":
                self.thread.join()
                requests[0].get_response_sender().send(flags=1)
                return
            sender = requests[0].get_response_sender()
            def send():
                try:
                    for _ in range(3):
                        sender.send(pb_utils.InferenceResponse())
                except pb_utils.TritonModelException:
                    pass
            self.thread = threading.Thread(target=send)
            self.thread.start()
            while sender._flight.waiter is None:
                pass
            raise ValueError("gone")
            """,
            credits=1,
        )
        server.run(1, [{"IN": FOUR}], decoupled=True)
        self.assertIn("gone", server.expect("ran")["error"]["message"])
        server.run(2, [{"IN": FOUR}], decoupled=True, id="next")
        server.expect("ran")

    def test_coroutines_of_several_runs_go_on_at_the_same_time(self):
        server = self.started(
            """
            import asyncio
            class TritonPythonModel:
                async def execute(self, requests):
                    if not hasattr(self, "both"):
                        self.both = asyncio.Event()
                    else:
                        self.both.set()
                    await self.both.wait()
                    for request in requests:
                        request.get_response_sender().send(pb_utils.InferenceResponse(), 1)
            """
        )
        server.run(1, [{"IN": FOUR}], decoupled=True)
        self.assertEqual(server.receive()["kind"], "ran")
        server.run(2, [{"IN": FOUR}], decoupled=True)
        frames = [server.receive() for _ in range(3)]
        self.assertEqual(
            sorted((frame["kind"], frame["run"]) for frame in frames),
            [("ran", 2), ("sent", 1), ("sent", 2)],
        )

    def test_a_coroutine_of_a_model_that_is_not_decoupled_returns_responses(self):
        server = self.started(
            """
            import asyncio
            class TritonPythonModel:
                async def execute(self, requests):
                    await asyncio.sleep(0)
                    if requests[0].request_id() == "bad":
                        raise KeyError("no")
                    return [pb_utils.InferenceResponse([pb_utils.Tensor("OUT", np.ones(2))])]
            """
        )
        self.assertEqual(
            server.tensor(self.answer(server)["answers"][0]["outputs"][0]).tolist(), [1, 1]
        )
        error = self.answer(server, id="bad")["error"]["message"]
        self.assertIn("KeyError: 'no'\n\nAt:\n  " + self.folder + "/model.py(", error)

    def test_a_coroutine_that_fails_is_told_in_the_log_and_its_requests_end(self):
        server = self.started(
            """
            class TritonPythonModel:
                async def execute(self, requests):
                    raise ValueError("in the background")
            """
        )
        server.run(1, [{"IN": FOUR}], decoupled=True)
        frames = {frame["kind"]: frame for frame in [server.receive() for _ in range(3)]}
        self.assertIn("ValueError: in the background", frames["log"]["message"])
        self.assertTrue(frames["sent"]["final"])


if __name__ == "__main__":
    unittest.main()

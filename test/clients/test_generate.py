"""generate and generate_stream through Python's own http.client, which knows nothing of Triton."""

import http.client
import json
import unittest

from test_infer import URL

REPEAT = {"IN": [5, 6, 7], "DELAY": [0, 0, 0], "WAIT": 0}


class Generate(unittest.TestCase):
    def setUp(self):
        self.connection = http.client.HTTPConnection(URL, timeout=30)
        self.addCleanup(self.connection.close)

    def post(self, path, body):
        self.connection.request("POST", f"/v2/models/{path}", json.dumps(body), {"Content-Type": "application/json"})
        return self.connection.getresponse()

    def events(self, answer):
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.getheader("Content-Type").startswith("text/event-stream"))
        return [json.loads(event.removeprefix("data: ")) for event in answer.read().decode().strip().split("\n\n")]

    def test_one_response(self):
        answer = self.post("identity_string/generate", {"id": "g", "INPUT0": "hello"})
        body = json.loads(answer.read())
        self.assertEqual(answer.status, 200, body)
        self.assertEqual((body["id"], body["model_name"], body["OUTPUT0"]), ("g", "identity_string", "hello"))

    def test_a_stream_of_responses(self):
        events = self.events(self.post("repeat/generate_stream", REPEAT))
        self.assertEqual([event["OUT"] for event in events], [5, 6, 7])
        self.assertEqual([event["IDX"] for event in events], [0, 1, 2])

    def test_a_stream_of_one_response(self):
        events = self.events(self.post("identity_string/generate_stream", {"INPUT0": "hello"}))
        self.assertEqual([event["OUTPUT0"] for event in events], ["hello"])

    def test_a_connection_serves_on_after_a_stream(self):
        for _ in range(3):
            self.assertEqual(len(self.events(self.post("repeat/generate_stream", REPEAT))), 3)
        self.connection.request("GET", "/v2/health/live")
        self.assertEqual(self.connection.getresponse().status, 200)

    def test_a_reader_that_leaves_in_the_middle(self):
        """The second response is ten minutes away."""
        answer = self.post("repeat/generate_stream", {"IN": [1, 2], "DELAY": [0, 600_000], "WAIT": 0})
        self.assertIn(b'"OUT":1', answer.readline())
        answer.close()
        self.connection.close()
        self.assertEqual(self.events(self.post("repeat/generate_stream", REPEAT))[0]["OUT"], 5)

    def test_mistakes(self):
        for path, body, status, text in (
            ("nope/generate", {"INPUT0": "x"}, 404, "Request for unknown model: 'nope' is not found"),
            ("identity_string/generate", {}, 400, "expected 1 inputs but got 0 inputs"),
            # As of Triton: the status went out with the first response.
            ("repeat/generate", REPEAT, 200, "generate expects model to produce exactly 1 response"),
        ):
            with self.subTest(path):
                answer = self.post(path, body)
                body = json.loads(answer.read())
                self.assertIn(text, body["error"])
                self.assertEqual(answer.status, status)

"""The life of a worker: opening, auto-completion, starting, readiness, and every way to end."""

import json
import os
import signal
import unittest

import numpy as np

from case import CONFIG, FOUR, WorkerCase

PLAIN = """
class TritonPythonModel:
    def execute(self, requests):
        return [pb_utils.InferenceResponse() for _ in requests]
"""


class Life(WorkerCase):
    def opened(self, source, **fields):
        server = self.double()
        return server, server.open(self.write(source), {**CONFIG}, **fields)

    def test_opening_tells_the_versions_and_whether_the_model_has_is_ready(self):
        _server, opened = self.opened(PLAIN + "    def is_ready(self):\n        return True\n")
        self.assertEqual(
            (opened["kind"], opened["config"], opened["ready"]), ("opened", None, True)
        )
        self.assertRegex(opened["python"], r"^3\.\d+\.\d+$")
        self.assertEqual(opened["numpy"], np.__version__)

    def test_auto_completion_gives_the_completed_configuration(self):
        _server, opened = self.opened(
            PLAIN
            + """
    @staticmethod
    def auto_complete_config(config):
        config.set_max_batch_size(8)
        config.set_dynamic_batching()
        config.add_input({"name": "B", "data_type": "TYPE_INT8", "dims": [2], "optional": True})
        config.add_output({"name": "OUT", "data_type": "TYPE_FP32", "dims": [-1]})
        config.set_model_transaction_policy({"decoupled": True})
        return config
""",
            complete=True,
        )
        config = json.loads(opened["config"])
        self.assertEqual(config["max_batch_size"], 8)
        self.assertEqual(config["dynamic_batching"], {})
        self.assertEqual([tensor["name"] for tensor in config["input"]], ["IN", "B"])
        self.assertEqual(config["output"], CONFIG["output"])
        self.assertEqual(config["model_transaction_policy"], {"decoupled": True})

    def test_auto_completion_that_fails_ends_the_worker_with_its_reason(self):
        bodies = {
            "return 3": "auto_complete_config function in model 'm' must return a valid pb.ModelConfig object.",
            "config.add_input({'name': 'IN', 'data_type': 'TYPE_INT8', 'dims': [-1]})": "ValueError: unable to load "
            "model 'm', configuration expects datatype TYPE_FP32 for input 'IN', model provides TYPE_INT8\n\nAt:\n",
            "raise SystemExit(4)": "SystemExit: 4\n\nAt:\n",
        }
        for body, message in bodies.items():
            with self.subTest(body):
                source = (
                    f"    @staticmethod\n    def auto_complete_config(config):\n        {body}\n"
                )
                server, failed = self.opened(PLAIN + source, complete=True)
                self.assertEqual(failed["kind"], "failed")
                self.assertTrue(failed["error"]["message"].startswith(message), failed)
                self.assertEqual(server.process.wait(10), 1)

    def test_a_file_that_cannot_be_imported_tells_why(self):
        cases = {
            "import nothing_of_this_name": "ModuleNotFoundError: No module named 'nothing_of_this_name'\n\nAt:\n",
            "def f(:": "SyntaxError: invalid syntax",
            "pass": "AttributeError: module '1.model' has no attribute 'TritonPythonModel'",
            "import os\nos._exit(7)": None,
        }
        for source, message in cases.items():
            with self.subTest(source):
                server = self.double()
                path = self.write(source, head="")
                if message is None:
                    with self.assertRaises(EOFError):
                        server.open(path)
                    self.assertEqual(server.process.wait(10), 7)
                else:
                    failed = server.open(path)
                    self.assertTrue(failed["error"]["message"].startswith(message), failed)

    def test_a_file_that_is_not_there_is_named(self):
        server = self.double()
        failed = server.open("/nowhere/1/model.py")
        self.assertEqual(
            failed["error"]["message"], "Python model file not found in '/nowhere/1/model.py'"
        )

    def test_an_exception_in_initialize_is_the_reason_of_the_failure(self):
        server, _ = self.opened(
            """
            class TritonPythonModel:
                def initialize(self, args):
                    raise RuntimeError("no weights for " + args["model_instance_name"])
            """
        )
        self.assertEqual(
            server.start()["error"]["message"],
            f"RuntimeError: no weights for m_0_0\n\nAt:\n  {self.folder}/model.py(8): initialize\n",
        )

    def test_a_model_imports_its_neighbours_in_every_way(self):
        self.write("NUMBER = 1\n", "neighbour.py", head="")
        self.write("NUMBER = 2\n", "process.py", head="")
        with open(os.path.join(self.folder, "..", "shared.py"), "w") as file:
            file.write("NUMBER = 3\n")
        server = self.execute(
            """
            import neighbour, process, shared, c_python_backend_utils
            from .neighbour import NUMBER
            assert c_python_backend_utils.Tensor is pb_utils.Tensor
            numbers = [neighbour.NUMBER, process.NUMBER, shared.NUMBER, NUMBER]
            assert pb_utils.get_model_dir() == __file__.rsplit("/", 1)[0], pb_utils.get_model_dir()
            return [pb_utils.InferenceResponse([pb_utils.Tensor("OUT", np.array(numbers))])]
            """
        )
        answer = self.answer(server)
        self.assertEqual(server.tensor(answer["answers"][0]["outputs"][0]).tolist(), [1, 2, 3, 1])

    def test_a_model_of_a_backend_is_imported_by_its_own_name(self):
        server = self.double()
        path = self.write(PLAIN, "model.py")
        moved = os.path.join(os.path.dirname(os.path.dirname(path)), "backend")
        os.makedirs(moved)
        os.rename(path, moved + "/model.py")
        opened = server.open(moved + "/model.py", CONFIG, folder="/models/m/1")
        self.assertEqual(opened["kind"], "opened", opened)
        self.assertEqual(server.start()["kind"], "started")

    def test_finish_runs_finalize_and_ends_the_process(self):
        server = self.started(
            PLAIN + "    def finalize(self):\n        pb_utils.Logger.log_info('bye')\n"
        )
        self.assertEqual(server.close(), 0)
        self.assertEqual([frame["message"] for frame in server.frames], ["bye"])

    def test_sigterm_ends_an_idle_worker_after_finalize_and_sigint_does_not(self):
        path = os.path.join(os.path.dirname(self.write(PLAIN)), "finalized")
        server = self.started(
            PLAIN + f"    def finalize(self):\n        open({path!r}, 'w').close()\n"
        )
        server.process.send_signal(signal.SIGINT)
        self.assertIn("answers", self.answer(server))
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.process.wait(10), 0)
        self.assertTrue(os.path.exists(path))

    def test_the_end_of_the_channel_ends_the_worker(self):
        server = self.started(PLAIN)
        server.socket.close()
        self.assertEqual(server.process.wait(10), 0)

    def test_the_process_is_named_after_its_instance(self):
        server = self.started(PLAIN)
        with open(f"/proc/{server.process.pid}/comm") as file:
            self.assertEqual(file.read().strip(), "m_0_0")

    def test_what_a_model_does_to_small_descriptors_does_not_reach_the_channel(self):
        server = self.execute(
            """
            import os
            for descriptor in range(3, 20):
                try:
                    os.write(descriptor, b"rubbish")
                    os.close(descriptor)
                except OSError:
                    pass
            return [pb_utils.InferenceResponse()]
            """
        )
        self.assertEqual(self.answer(server)["answers"], [{"outputs": []}])
        self.assertEqual(self.answer(server)["answers"], [{"outputs": []}])

    def test_children_inherit_no_descriptor_of_the_server(self):
        server = self.execute(
            """
            import subprocess, sys
            listed = subprocess.run([sys.executable, "-c", "import os; print(os.listdir('/proc/self/fd'))"],
                close_fds=False, stdout=subprocess.PIPE, check=True).stdout.decode()
            return [pb_utils.InferenceResponse([pb_utils.Tensor("OUT", np.array([listed], dtype=object))])]
            """
        )
        ran = self.answer(server)
        listed = server.tensor(ran["answers"][0]["outputs"][0])[0].decode()
        self.assertNotIn("'10", listed)

    def test_a_forked_child_that_ends_does_not_disturb_its_parent(self):
        server = self.execute(
            """
            import os, multiprocessing
            array = requests[0].inputs()[0].as_numpy()
            context = multiprocessing.get_context("fork")
            queue = context.SimpleQueue()
            def work(array):
                queue.put(float(array.sum()))
                del array
            child = context.Process(target=work, args=(array,))
            child.start()
            total = queue.get()
            child.join()
            pid = os.fork()
            if pid == 0:
                try:
                    pb_utils.Logger.log_info("from the child")
                finally:
                    os._exit(0)
            os.waitpid(pid, 0)
            return [pb_utils.InferenceResponse([pb_utils.Tensor("OUT", np.array([total]))])]
            """
        )
        for _ in range(2):
            answer = self.answer(server)
            self.assertEqual(server.tensor(answer["answers"][0]["outputs"][0]).tolist(), [6])
        self.assertEqual(server.frames, [])

    def test_readiness_is_told_also_while_the_model_executes(self):
        server = self.started(
            """
            import threading
            class TritonPythonModel:
                def initialize(self, args):
                    self.asked = threading.Event()
                def is_ready(self):
                    self.asked.set()
                    return False
                def execute(self, requests):
                    if requests[0].request_id() == "wait":
                        self.asked.wait()
                    return [pb_utils.InferenceResponse()]
            """
        )
        server.send({"kind": "ready", "ask": 4})
        self.assertEqual(server.receive(), {"kind": "ready", "ask": 4, "result": False})
        for _ in range(3):
            self.answer(server, id="wait")
        server = self.started(
            """
            import threading
            class TritonPythonModel:
                def initialize(self, args):
                    self.asked = threading.Event()
                async def is_ready(self):
                    self.asked.set()
                    return True
                def execute(self, requests):
                    pb_utils.Logger.log_info("executing")
                    self.asked.wait()
                    return [pb_utils.InferenceResponse()]
            """
        )
        server.run(1, [{"IN": FOUR}])
        server.expect("log")
        server.send({"kind": "ready", "ask": 5})
        frames = sorted((server.receive() for _ in range(2)), key=lambda frame: frame["kind"])
        self.assertEqual(frames[1], {"kind": "ready", "ask": 5, "result": True})

    def test_readiness_that_is_no_boolean_or_raises_is_an_error(self):
        for body, message in [
            ("return 1", "is_ready() must return a boolean value"),
            ("raise ValueError('x')", "ValueError: x\n\nAt:\n"),
        ]:
            server = self.started(PLAIN + f"    def is_ready(self):\n        {body}\n")
            server.send({"kind": "ready", "ask": 1})
            self.assertIn(message, server.receive()["error"]["message"])

    def test_long_frames_are_read_in_pieces(self):
        server = self.execute(
            'return [pb_utils.InferenceResponse([pb_utils.Tensor("OUT",'
            " np.array([len(r.parameters())]))]) for r in requests]"
        )
        ran = self.answer(server, parameters={"long": "x" * 3_000_000})
        self.assertGreater(server.tensor(ran["answers"][0]["outputs"][0])[0], 3_000_000)


if __name__ == "__main__":
    unittest.main()

"""The scenario of `commerce-platform.md` in which tests spend money."""

import re
import sys
from typing import Any, Final

import httpx
import msgspec
from litestar import Response, post

from fake_services.scenarios.model import Scenario
from fake_services.scenarios.processes import Finished
from fake_services.scenarios.stage import Stage
from fake_services.service import InContext
from fake_services.spans import current_span

RUN_SECONDS: Final = 14.0
FAILED: Final = re.compile(r"^FAILED .*$", re.MULTILINE)

TESTS: Final = """
import openai
import pytest


@pytest.mark.parametrize("question", ["ping", "ping in one line"])
def test_answers_in_one_line(question: str) -> None:
    client = openai.OpenAI(max_retries=0)

    reply = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": question}]
    )

    assert "\\n" not in (reply.choices[0].message.content or "")
"""


class TestsFailed(Exception):
    """pytest ended with a code other than 0; the text is its summary of failures."""


class Account:
    """A paid LLM provider's view of one customer; every answer costs a credit."""

    def __init__(self, credits_left: int) -> None:
        self._left = credits_left

    def complete(self) -> Response[dict[str, Any]]:
        """An answer, or the refusal as OpenAI's API documents it (error codes, 429)."""
        if not self._left:
            said = "You exceeded your current quota, please check your plan and billing details."
            error = {"message": said, "type": "insufficient_quota", "code": "insufficient_quota"}
            return Response({"error": error}, status_code=429)
        self._left -= 1
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "pong"},
        }
        answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": "gpt"}
        return Response({**answer, "choices": [choice]}, status_code=200)


async def credit_burn(stage: Stage) -> None:
    """The first test of a suite spends the last credit, the second gets no answer."""
    account = Account(credits_left=1)
    (stage.scratch / "tests").mkdir()
    (stage.scratch / "tests" / "test_llm.py").write_text(TESTS)

    @post("/v1/chat/completions", sync_to_thread=False)
    def complete() -> Response[dict[str, Any]]:
        return account.complete()

    provider = await stage.service("llm-provider", complete)

    @post("/test-runs")
    async def run_tests(context: InContext) -> dict[str, Any]:
        done = await _pytest(stage, provider)
        context.telemetry.info("tests ended", code=done.code, printed=done.output)
        if done.code:
            raise TestsFailed("\n".join(FAILED.findall(done.output)) or done.output)
        return {"passed": True}

    runner = await stage.service("test-runner", run_tests)

    @post("/builds")
    async def build(context: InContext) -> dict[str, Any]:
        context.telemetry.info("build begins with its tests")
        return await _run(f"{runner}/test-runs")

    front = await stage.service("ci", build)
    await stage.request("POST", f"{front}/builds")


async def _pytest(stage: Stage, provider: str) -> Finished:
    return await stage.process(
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tb=short", "tests"),
        env={
            "OPENAI_BASE_URL": f"{provider}/v1",
            "OPENAI_API_KEY": "sk-of-the-ci",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "CI": "true",  # pytest then does not cut its summary to the width of a terminal
        },
        seconds=RUN_SECONDS,
    )


async def _run(url: str) -> dict[str, Any]:
    """Starts a job and waits for it longer than services wait for one another."""
    span = current_span.get()
    async with httpx.AsyncClient(timeout=RUN_SECONDS, trust_env=False) as client:
        answer = await client.post(url, headers=span.headers() if span else {})
    answer.raise_for_status()
    return msgspec.json.decode(answer.content, type=dict[str, Any])


SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario(
        name="test-credit-burn",
        shows="pytest calls an LLM provider of ours until the account is empty",
        root_service="test-runner",
        root="RateLimitError",
        run=credit_burn,
        needs=("python:openai", "python:pytest"),
    ),
)

"""Texts from any OpenAI-compatible server."""

from __future__ import annotations

import os
from time import sleep
from urllib.parse import urlsplit

from huggingface_hub import InferenceClient

from cdd_icm.errors import InputError, first_line

KEY = "CDD_ICM_ENDPOINT_KEY"
"""The environment variable with the server's key, if it wants one."""


class Endpoint:
    """A model behind `url`, such as http://localhost:8000/v1, that answers a chat.

    Args:
        model: its name on the server. timeout: seconds for an answer. tries: before it is given up; the waits
            between them are 1, 2, 4, ... seconds. max_tokens: of an answer.
    """

    def __init__(
        self,
        url: str,
        model: str,
        timeout: float = 60.0,
        tries: int = 4,
        max_tokens: int = 512,
        wait: float = 1.0,
    ):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"url is {url!r}, expected http://HOST:PORT/v1")
        if not model:
            raise InputError("model is '', expected the name of a model on the server")
        if tries < 1:
            raise InputError(f"tries is {tries}, expected at least 1")
        self.url, self.model, self.tries, self.max_tokens, self.wait = url, model, tries, max_tokens, wait
        self.client = InferenceClient(base_url=url, api_key=os.environ.get(KEY, "none"), timeout=timeout)

    def ask(self, system: str, text: str) -> str:
        """The answer to `text` under the instructions `system`, at temperature 0.

        Raises:
            InputError: the server is down, too slow, or refuses, at every try.
        """
        messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
        for number in range(self.tries):
            if number:
                sleep(self.wait * 2 ** (number - 1))
            try:
                answer = self.client.chat_completion(
                    messages, model=self.model, max_tokens=self.max_tokens, temperature=0.0
                )
                return answer.choices[0].message.content or ""
            except (
                Exception
            ) as error:  # the client's errors have no common base, and answers may be of any form
                reason = first_line(error)
        raise InputError(f"{self.url}: no answer after {self.tries} tries ({reason})")

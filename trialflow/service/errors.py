"""What the API answers when it refuses a request: a status and one message."""


class ApiError(Exception):
    """An answer with an error status; its body is `{"message", "status"}`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


class BadRequest(ApiError):
    """What the request says is invalid (400)."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)
        self.args = (message,)


class NoUntriedPoint(BadRequest):
    """Every point of a finite space has been tried or is being tried (400)."""


class Forbidden(ApiError):
    """The token or the state of the object does not allow it (403)."""

    def __init__(self, message: str) -> None:
        super().__init__(403, message)


class NotFound(ApiError):
    """There is no such object (404)."""

    def __init__(self, kind: str, identifier: object) -> None:
        super().__init__(404, f"No {kind} with the id {str(identifier)[:100]}")


class Busy(ApiError):
    """The same request may succeed in a moment (429): the only status that the `sigopt` client retries."""

    def __init__(self, message: str) -> None:
        super().__init__(429, message)
        self.args = (message,)

"""What the API answers when it refuses: a status and one message."""


class ApiError(Exception):
    """An answer with an error status; its body is `{"message", "status"}`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class BadRequest(ApiError):
    """The request says something that cannot be (400)."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)


class Forbidden(ApiError):
    """The token or the state of the object does not allow it (403)."""

    def __init__(self, message: str) -> None:
        super().__init__(403, message)


class NotFound(ApiError):
    """There is no such object (404)."""

    def __init__(self, kind: str, identifier: object) -> None:
        super().__init__(404, f"No {kind} with the id {identifier}")


class Busy(ApiError):
    """It may work in a moment (429): the one answer that the client tries again after."""

    def __init__(self, message: str) -> None:
        super().__init__(429, message)

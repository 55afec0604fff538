"""The service itself: its database, its files, its tokens and its optimizer."""

from trialflow.home import Home
from trialflow.service.file_store import FileStore
from trialflow.service.sign_in import SignIn
from trialflow.service.store import StoreThread
from trialflow.service.suggester import Suggester
from trialflow.service.tokens import Tokens


class Service:
    """What every endpoint works with."""

    def __init__(self, *, store: StoreThread, files: FileStore, token: str, home: Home) -> None:
        self.store = store
        self.files = files
        self.home = home
        self.url = ""
        """Where it answers, once it does."""
        self.tokens = Tokens(token)
        self.sign_in = SignIn(token)
        self.suggester = Suggester(store)

    def close(self) -> None:
        """Finish the database jobs under way and close the database."""
        self.suggester.close()
        self.store.close()

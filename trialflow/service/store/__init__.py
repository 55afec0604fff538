"""What the service keeps: tables, migrations, and the one thread that reads and writes them. SQLite or PostgreSQL, by URL."""

from trialflow.service.store.database import Database
from trialflow.service.store.thread import StoreThread

__all__ = ["Database", "StoreThread"]

"""All that a release leaves behind for later ones is held by a store made today."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from judgebench.store.opening import open_store
from judgebench.store.schema import metadata
from judgebench.store.store import Store
from tests.unit import test_store_versions as versions


def test_a_store_made_today_holds_what_a_release_will_leave_behind(store_url: str) -> None:
    make = versions.builder()
    make.make(store_url)
    with open_store(store_url, read_only=True) as store:
        assert store.judged(make.JUDGMENT_KEYS) == set(make.JUDGMENT_KEYS)
        assert store.reply(make.REQUEST_KEY) == make.REPLY
        found = store.responses(list(make.RESPONSES))
        assert found == {key: [response] for key, response in make.RESPONSES.items()}
        assert store.items("trivia", "v1") == make.ITEMS
        assert len(store.verdicts("trivia")["label"]) == make.PLACES
        versions.holds_the_second(store, make)
        versions.holds_the_third(store, make)
        versions.holds_the_fourth(store, make)
        versions.holds_the_fifth(store, make)


def test_a_new_store_has_the_tables_of_the_schema(store: Store) -> None:
    """But for references, which a server does not look up row by row."""
    with store.snapshot() as connection:
        context = MigrationContext.configure(connection)
        differences = compare_metadata(context, metadata)
    kinds = {difference[0] for difference in differences}
    assert kinds <= ({"add_fk"} if context.dialect.name == "postgresql" else set())

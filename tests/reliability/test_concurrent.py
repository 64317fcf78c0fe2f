"""Fifty clients that write at the same moment: one dense log and one history for all."""

from conftest import Service, Site
from diary import Diary, Writers, publish, replay
from stored_rows import check_history, check_log

CLIENTS = 50
LOAD = 1_000  # requests


def test_fifty_writers_at_once_make_one_history(service: Service, site: Site) -> None:
    """Indexes run from 0 without a gap, every receipt verifies, every checkpoint seen goes on."""
    diary = Diary()
    with service.client(site.key) as client:
        publish(client)
        writers = Writers(client, diary, name="fifty")
        writers.start(comments=0, batches=0, events=CLIENTS)
        try:
            diary.await_told(LOAD)
        finally:
            writers.stop()

        assert not diary.refused, diary.refused[:3]
        assert not diary.lost
        checkpoint = check_log(client, service, site)
        check_history(client, site, diary.told, checkpoint)
        for told in diary.told[:: len(diary.told) // 50]:
            replay(client, told)
        assert check_log(client, service, site) == checkpoint

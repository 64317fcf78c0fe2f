"""Rows of consent: notices, the log, its entries and tiles, sealed records, subjects.

Every primary key and index starts with the site, but for the restrictions that end, which are
looked for on all sites at once. An `entry` is for ever and says nothing of anybody; what can be
erased is in `record` and `subject`.
"""

from sqlalchemy import Index, LargeBinary, Table, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

CLUSTERED = {"sqlite_with_rowid": False}


class ConsentTable(SQLModel, registry=registry()):
    """The base that gives these tables metadata of their own."""


class NoticeRow(ConsentTable, table=True):
    """One language of one version of a notice, as published; *controller* and *purposes* JSON."""

    __tablename__ = "notice"

    site_id: str = Field(primary_key=True)
    notice_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    language: str = Field(primary_key=True)
    text: str
    text_sha256: str
    material_sha256: str
    controller: str
    purposes: str
    published: str
    withdrawal_uri: str | None = None
    ui_sha256: str | None = None


class LogRow(ConsentTable, table=True):
    """The head of a site's log: its right edge and what was last signed, in the same row.

    *frontier* is `merkle.Frontier.to_bytes`; *root* and *signature* are of the last checkpoint.
    """

    __tablename__ = "log"

    site_id: str = Field(primary_key=True)
    epoch: int = Field(primary_key=True)
    origin: str
    size: int
    root: bytes = Field(sa_type=LargeBinary)
    frontier: bytes = Field(sa_type=LargeBinary)
    signature: bytes = Field(sa_type=LargeBinary)


class EntryRow(ConsentTable, table=True):
    """One leaf of the log; never changed, never deleted."""

    __tablename__ = "entry"
    __table_args__ = CLUSTERED

    site_id: str = Field(primary_key=True)
    epoch: int = Field(primary_key=True)
    leaf_index: int = Field(primary_key=True)
    leaf: bytes = Field(sa_type=LargeBinary)


class TileRow(ConsentTable, table=True):
    """256 neighbouring node hashes of tile level *level* (C2SP tlog-tiles): written when full."""

    __tablename__ = "tile"

    site_id: str = Field(primary_key=True)
    epoch: int = Field(primary_key=True)
    level: int = Field(primary_key=True)
    tile_index: int = Field(primary_key=True)
    hashes: bytes = Field(sa_type=LargeBinary)


class RecordRow(ConsentTable, table=True):
    """An event: its sealed bytes and the few columns that it is found by."""

    __tablename__ = "record"
    __table_args__ = (
        Index("record_subject", "site_id", "subject_ref", "record_id"),
        Index("record_type", "site_id", "event_type", "record_id"),
        Index("record_method", "site_id", "method", "record_id"),
        Index("record_notice", "site_id", "notice_id", "notice_version", "record_id"),
    )

    site_id: str = Field(primary_key=True)
    record_id: str = Field(primary_key=True)
    epoch: int
    leaf_index: int
    received_at: str
    subject_ref: str
    event_type: str
    method: str
    decisions: str
    notice_id: str | None = None
    notice_version: int | None = None
    sealed: bytes = Field(sa_type=LargeBinary)


class RecordPurposeRow(ConsentTable, table=True):
    """Which records decided what about a purpose: for searching alone."""

    __tablename__ = "record_purpose"
    __table_args__ = CLUSTERED

    site_id: str = Field(primary_key=True)
    purpose_id: str = Field(primary_key=True)
    decision: str = Field(primary_key=True)
    record_id: str = Field(primary_key=True)


class SubjectRow(ConsentTable, table=True):
    """A subject's data key, wrapped, and where the subject stands, as JSON.

    Deleting *wrapped* erases everything that is sealed under it; a row without one only remembers
    a refusal. The standing is a projection of the events, rebuilt from them at will. They share a
    row because every event needs both, and each row of a random key costs a page of its own to
    write. *restricted_until* is set where processing is restricted: until then the proof is kept.
    """

    __tablename__ = "subject"
    __table_args__ = (
        Index(
            "subject_restricted",
            "restricted_until",
            sqlite_where=text("restricted_until IS NOT NULL"),
            postgresql_where=text("restricted_until IS NOT NULL"),
        ),
    )

    site_id: str = Field(primary_key=True)
    subject_ref: str = Field(primary_key=True)
    key_version: int
    wrapped: bytes = Field(sa_type=LargeBinary)
    standing: str
    restricted_until: str | None = None


class SettingRow(ConsentTable, table=True):
    """How a site wants consent to be handled, as JSON (`setting.Setting`)."""

    __tablename__ = "setting"

    site_id: str = Field(primary_key=True)
    content: str
    changed: str


class BannerRow(ConsentTable, table=True):
    """An archived banner bundle, stored once under its digest: the copy of EDPB 05/2020 §108."""

    __tablename__ = "banner"

    site_id: str = Field(primary_key=True)
    ui_sha256: str = Field(primary_key=True)
    media_type: str
    content: bytes = Field(sa_type=LargeBinary)
    archived: str


class ShownRow(ConsentTable, table=True):
    """How often a notice was shown on a day to visitors of whom nothing was recorded."""

    __tablename__ = "shown"

    site_id: str = Field(primary_key=True)
    notice_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    language: str = Field(primary_key=True)
    day: str = Field(primary_key=True)
    times: int


class IdempotencyRow(ConsentTable, table=True):
    """What it takes to give the first answer again, byte for byte; kept for ever."""

    __tablename__ = "idempotency"
    __table_args__ = (Index("idempotency_record", "site_id", "record_id"),)

    site_id: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    fingerprint: str
    record_id: str
    tree_size: int
    signature: bytes = Field(sa_type=LargeBinary)


METADATA = ConsentTable.metadata

# For the Core statements of hot and cold paths alike: the same definitions, without the ORM.
NOTICE: Table = METADATA.tables["notice"]
LOG: Table = METADATA.tables["log"]
ENTRY: Table = METADATA.tables["entry"]
TILE: Table = METADATA.tables["tile"]
RECORD: Table = METADATA.tables["record"]
RECORD_PURPOSE: Table = METADATA.tables["record_purpose"]
SUBJECT: Table = METADATA.tables["subject"]
SETTING: Table = METADATA.tables["setting"]
BANNER: Table = METADATA.tables["banner"]
SHOWN: Table = METADATA.tables["shown"]
IDEMPOTENCY: Table = METADATA.tables["idempotency"]

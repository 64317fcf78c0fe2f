"""Compiles `moderation/model/native.pyx` where that can be done, and goes on without where not.

The package works either way; only scoring is slower without: `docs/decisions/compiled-scoring.md`.
"""

import shutil
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULE = "moderation.model.native"
SOURCE = "moderation/model/native.pyx"


class NativeBuildHook(BuildHookInterface):
    """Adds the compiled module to a wheel, or puts it beside its source for an editable one.

    Raises Cython's CompileError for a source that is no Cython: no compiler would mend that.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tell the wheel that it is for this kind of machine."""
        source = Path(self.root) / SOURCE
        self._folder = Path(mkdtemp(prefix="aboveboard-build-"))
        try:
            translated = _translated(source, self._folder)
        except Exception:
            self.finalize()
            raise
        try:
            built = _compiled(translated, self._folder)
            if version == "editable":
                _put(built, source.with_name(built.name))
                return
        except (Exception, SystemExit) as error:  # noqa: BLE001 - no compiler, no headers, no room
            reason = " ".join(str(error).split()) or type(error).__name__
            self.app.display_warning(f"{SOURCE} was not compiled, so scoring is slower: {reason}")
            if version == "editable":
                # What was built of another source says other things.
                source.with_suffix(EXTENSION_SUFFIXES[0]).unlink(missing_ok=True)
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"][str(built)] = str(Path(SOURCE).with_name(built.name))

    def finalize(self, *_: object) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _translated(source: Path, folder: Path) -> Any:  # noqa: ANN401 - setuptools' own, untyped
    """Return what is to be compiled; nothing where there is no Cython."""
    try:
        from Cython.Build import cythonize  # noqa: PLC0415 - where it is missing, that is no error
        from setuptools import Extension  # noqa: PLC0415
    except ImportError:
        return []
    # Sums are to be what numpy makes of them: no step of theirs may be fused with the next.
    flags = ["-O3", "-g0", "-ffp-contract=off"]
    extension = Extension(MODULE, [str(source)], extra_compile_args=flags)
    return cythonize([extension], build_dir=str(folder), quiet=True)


def _compiled(modules: Any, folder: Path) -> Path:  # noqa: ANN401
    """Return the module that was built, somewhere in *folder*."""
    if not modules:
        raise ModuleNotFoundError("expected Cython and setuptools, got none")
    if sys.byteorder != "little":
        raise RuntimeError("expected a little-endian machine, got another")
    from setuptools import Distribution  # noqa: PLC0415

    command = Distribution({"ext_modules": modules, "packages": []}).get_command_obj("build_ext")
    command.build_lib = command.build_temp = str(folder)
    command.ensure_finalized()
    command.run()
    return Path(command.get_ext_fullpath(MODULE))


def _put(built: Path, place: Path) -> None:
    """Put it in *place* at once: who starts meanwhile finds the old one or the new one, whole."""
    beside = place.with_suffix(".new.so")
    shutil.copy(built, beside)
    beside.replace(place)

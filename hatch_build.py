"""Compiles `moderation/model/native.pyx` where that can be done, and goes on without where not.

The package works either way; only scoring is slower without: `docs/decisions/compiled-scoring.md`.
"""

import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULE = "moderation.model.native"
SOURCE = "moderation/model/native.pyx"


class NativeBuildHook(BuildHookInterface):
    """Adds the compiled module to a wheel, or puts it beside its source for an editable one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tell the wheel that it is for this kind of machine."""
        self._folder = Path(mkdtemp(prefix="aboveboard-build-"))
        try:
            built = _compiled(Path(self.root), self._folder)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - no compiler, no headers, no Cython
            reason = " ".join(str(error).split()) or type(error).__name__
            self.app.display_warning(f"{SOURCE} was not compiled, so scoring is slower: {reason}")
            return
        place = (Path(self.root) / SOURCE).with_name(built.name)
        if version == "editable":
            # At once: whoever starts meanwhile finds the old one or the new one, whole.
            shutil.copy(built, place.with_suffix(".new"))
            place.with_suffix(".new").replace(place)
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"][str(built)] = str(place.relative_to(self.root))

    def finalize(self, *_: object) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _compiled(root: Path, folder: Path) -> Path:
    """Return the module that was built from the source in *root*, somewhere in *folder*."""
    from Cython.Build import cythonize  # noqa: PLC0415 - where it is missing, that is told
    from setuptools import Distribution, Extension  # noqa: PLC0415

    if sys.byteorder != "little":
        raise NotImplementedError("expected a little-endian machine, got another")
    # Sums are to be what numpy makes of them: no step of theirs may be fused with the next.
    flags = ["-O3", "-g0", "-ffp-contract=off"]
    extension = Extension(MODULE, [str(root / SOURCE)], extra_compile_args=flags)
    modules = cythonize([extension], build_dir=str(folder), quiet=True)
    command = Distribution({"ext_modules": modules, "packages": []}).get_command_obj("build_ext")
    command.build_lib = command.build_temp = str(folder)
    command.ensure_finalized()
    command.run()
    return Path(command.get_ext_fullpath(MODULE))

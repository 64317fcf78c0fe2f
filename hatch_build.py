"""Compiles `moderation/model/native.pyx` where that can be done, and goes on without where not.

The package works either way; only scoring is slower without (`docs/decisions/classifier.md`).
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULE = "moderation.model.native"
SOURCE = "moderation/model/native.pyx"


class NativeBuildHook(BuildHookInterface):
    """Adds the compiled module to a wheel, or puts it beside its source for an editable one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tell the wheel that it is for this kind of machine."""
        try:
            built = _compiled(Path(self.root))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - no compiler, no headers, no Cython
            reason = " ".join(str(error).split()) or type(error).__name__
            self.app.display_warning(f"{SOURCE} was not compiled, so scoring is slower: {reason}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        if version != "editable":
            build_data["force_include"][str(built)] = f"moderation/model/{built.name}"


def _compiled(root: Path) -> Path:
    """Return the module that was built from the source, beside it."""
    from Cython.Build import cythonize  # noqa: PLC0415 - where it is missing, that is told
    from setuptools import Distribution, Extension  # noqa: PLC0415

    if sys.byteorder != "little":
        raise NotImplementedError("expected a little-endian machine, got another")
    # Sums are to be what numpy makes of them: no step of theirs may be fused with the next.
    extension = Extension(MODULE, [SOURCE], extra_compile_args=["-O3", "-ffp-contract=off"])
    with tempfile.TemporaryDirectory() as folder:
        modules = cythonize([extension], build_dir=folder, quiet=True)
        command = Distribution({"ext_modules": modules, "packages": []}).get_command_obj(
            "build_ext"
        )
        command.inplace = True
        command.build_temp = folder
        command.ensure_finalized()
        command.run()
        return root / command.get_ext_filename(MODULE)

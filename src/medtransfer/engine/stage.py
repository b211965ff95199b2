"""The command `medtransfer stage`: run the script of one stage, wherever the package keeps it."""

from __future__ import annotations

import inspect
from importlib.util import module_from_spec, spec_from_file_location

from medtransfer.study import item_of
from medtransfer.util.errors import UserError, near
from medtransfer.util.places import shipped


def run_script(stage: str, item: str | None) -> None:
    """Call `main` of a stage's script, with the name of the item that the stage is about, if it has items.

    `item` is the name, or DVC's name of the stage that ends in it.

    Raises `UserError` if there is no such stage, or a name is missing or superfluous.
    """
    scripts = {path.stem: path for path in shipped("stages").glob("*.py")}
    if stage not in scripts:
        raise UserError(f"no stage {stage!r}{near(stage, scripts)}")
    spec = spec_from_file_location(f"stages.{stage}", scripts[stage])
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    expected = len(inspect.signature(module.main).parameters)
    given = [item_of(item)] if item is not None else []
    if len(given) != expected:
        wanted = f"expected a name, as in `medtransfer stage {stage} NAME`" if expected else f"unexpected name {item!r}"
        raise UserError(f"stage {stage}: {wanted}")
    module.main(*given)

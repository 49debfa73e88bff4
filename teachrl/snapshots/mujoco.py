"""States of MuJoCo environments: all that the integration depends on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachrl.snapshots.adapters import Adapter, State
from teachrl.snapshots.graphs import pack, unpack
from teachrl.snapshots.recording import Env, begin_again

# MuJoCo calculates these in the first half of a step, so that they lag behind positions and
# velocities. Calculated from the state that is written back, they would be half a step ahead, and
# with them observations (contact forces), and rewards that look at where a body was.
_LAGGING = (
    *("xpos", "xquat", "xipos", "site_xpos", "cinert", "cvel", "cfrc_ext"),
    *("qfrc_actuator", "sensordata"),
)


class MuJoCo(Adapter):
    """The full integration state, warm start and lagging quantities included; exact.

    A deep copy of a Gymnasium environment runs its constructor again, and gives a new environment
    in its first state without a word. This writes into an environment that has been reset.
    """

    name, exact = "mujoco", True

    @classmethod
    def accepts(cls, env: Env) -> bool:
        """Tell whether ``env`` has a MuJoCo model and its data."""
        found = [getattr(env.unwrapped, name, None) for name in ("model", "data")]
        return [type(thing).__name__ for thing in found] == ["MjModel", "MjData"]

    def _save(self, env: Env) -> State:
        import mujoco

        inner: Any = env.unwrapped
        kind = mujoco.mjtState.mjSTATE_INTEGRATION
        integration = np.empty(mujoco.mj_stateSize(inner.model, kind))
        mujoco.mj_getState(inner.model, inner.data, integration, kind)
        lagging = {name: np.array(getattr(inner.data, name)) for name in _LAGGING}
        own = {k: v for k, v in vars(inner).items() if not k.startswith("init_")}
        return {"integration": integration, "lagging": lagging, "attributes": pack(own, inner)}

    def _load(self, env: Env, state: State) -> None:
        import mujoco

        begin_again(env, state["seed"], state.get("task"), state.get("past"))
        inner: Any = env.unwrapped
        kind = mujoco.mjtState.mjSTATE_INTEGRATION
        integration: NDArray[np.float64] = state["integration"]
        if len(integration) != mujoco.mj_stateSize(inner.model, kind):
            raise ValueError(
                f"expected a state of {mujoco.mj_stateSize(inner.model, kind)} numbers, got "
                f"{len(integration)}: the snapshot is another model's"
            )
        mujoco.mj_setState(inner.model, inner.data, integration, kind)
        mujoco.mj_forward(inner.model, inner.data)  # contacts and pictures; it moves the warm start
        mujoco.mj_setState(inner.model, inner.data, integration, kind)
        for name, value in state["lagging"].items():
            getattr(inner.data, name)[:] = value
        vars(inner).update(unpack(state["attributes"], inner))

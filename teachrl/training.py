"""Teach one student."""

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from numbers import Integral
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from teachrl.checks.repeating import warn_unless_repeating
from teachrl.checks.teachers import require_teacher
from teachrl.core import Teacher
from teachrl.evaluation.callback import EvaluationCallback
from teachrl.evaluation.test_sets import TestSet, chosen_test_set
from teachrl.monitoring.progress_bar import ProgressBarCallback
from teachrl.monitoring.tensorboard import PictureCallback
from teachrl.registry import from_config, to_config, to_json
from teachrl.runs.checkpointing import CheckpointCallback, Part, parts_of, stopping_softly
from teachrl.runs.checkpoints import load_checkpoint
from teachrl.runs.folder import RunFolder
from teachrl.runs.logs import LogKeeper
from teachrl.runs.recorder import Recorder
from teachrl.runs.store import Run
from teachrl.runs.versions import git_revision, versions
from teachrl.students.assignments import require_companions
from teachrl.students.callback import TeacherCallback
from teachrl.students.making import make_task_vec_env, resolve_env
from teachrl.students.pairs import require_antagonist
from teachrl.students.presets import StudentSpec
from teachrl.students.rollouts import require_signals
from teachrl.students.task_slot import Declaration, try_teacher
from teachrl.students.threads import torch_threads
from teachrl.students.vec_env import TaughtVecEnv
from teachrl.students.whole_episodes import WholeEpisodeMonitor

log = logging.getLogger("teachrl")


def teach(
    student: Any,
    env: Callable[..., gym.Env[Any, Any]] | str,
    teacher: Teacher,
    *,
    steps: int,
    seed: int = 0,
    n_envs: int = 1,
    processes: bool = False,
    folder: Path | str | None = None,
    options: Mapping[str, Any] | None = None,
    callbacks: Sequence[BaseCallback] | BaseCallback = (),
    test_set: TestSet | None = None,
    evaluate_every: int | None = None,
    progress_bar: bool = False,
    restart: bool = False,
    checkpoint_every: int | None = None,
    threads: int = 1,
) -> Run:
    """Train a student on the tasks that its teacher chooses.

    Args:
        student: an SB3 or SBX class (which takes its preset, if there is one), a preset from
            ``teachrl.students.presets``, or the name of one.
        env: a class, a function, a ``functools.partial`` of one, or a registered name.
        teacher: its configuration; a fresh copy is taught with.
        steps: environment steps, over all environments; SB3 finishes the rollout it is in.
        seed: of everything: the same seed gives the same run, with any ``processes``.
        n_envs: environments that play at the same time.
        processes: give each environment a process of its own.
        folder: of the run; None keeps it only as long as the returned :class:`Run`. A folder whose
            run is done is returned as it is; an unfinished one goes on from its last checkpoint,
            and ends as if it had never stopped.
        options: keyword arguments of the student's class, which override its preset.
        callbacks: SB3 callbacks, or one; what one of them remembers is kept over a stop if it has
            ``state()``, which returns arrays and JSON values, and ``restore(state)``.
        test_set: tasks to evaluate on; None: the environment's own.
        evaluate_every: steps between evaluations, besides those at start and end; None: a fifth of
            the run; 0: no evaluation at all.
        progress_bar: show one, with the share of mastered test tasks.
        restart: remove the run that the folder holds.
        checkpoint_every: steps between checkpoints; None: a tenth of the run, or less often if that
            would cost more than 2 % of its time; 0: none.
        threads: of torch. More than one slowed small networks down 35 to 150 times on busy cores.
    """
    plan = Plan.checked(
        student,
        env,
        teacher,
        steps=steps,
        seed=seed,
        n_envs=n_envs,
        processes=processes,
        options=options or {},
        test_set=test_set,
        evaluate_every=evaluate_every,
    )
    return _carry_out(
        plan,
        folder,
        _listed(callbacks),
        restart=restart,
        progress_bar=progress_bar,
        every=plan.steps // 10 if checkpoint_every is None else checkpoint_every,
        threads=threads,
    )


def resume(
    folder: Path | str,
    *,
    callbacks: Sequence[BaseCallback] | BaseCallback = (),
    progress_bar: bool = False,
    threads: int = 1,
) -> Run:
    """Go on with the unfinished run of a folder, from what the folder says and nothing else.

    The student, the environment and the teacher must be classes that can be imported; for others,
    call :func:`teach` again as before, which goes on just the same.

    Raises:
        ValueError: callbacks that remember something, such as ``Kickstart``, are missing here.
    """
    run, callbacks = Run.load(folder), _listed(callbacks)
    there, here = run.config.get("callbacks", []), _remembering(callbacks)
    if there != here:
        raise ValueError(
            f"{folder} is a run with the callbacks {there}, got {here}: call teach(...) with them "
            "again, as before, which goes on with it; the folder does not hold their settings"
        )
    plan = Plan.of_run(run)
    return _carry_out(
        plan,
        folder,
        callbacks,
        restart=False,
        progress_bar=progress_bar,
        every=plan.steps // 10,
        threads=threads,
    )


def _listed(callbacks: Sequence[BaseCallback] | BaseCallback) -> Sequence[BaseCallback]:
    """Return the callbacks in a list, as SB3 does where there is only one."""
    listed: Sequence[Any] = callbacks if isinstance(callbacks, Sequence) else [callbacks]
    if strange := [each for each in listed if not isinstance(each, BaseCallback)]:
        raise TypeError(
            "callbacks must be one of Stable-Baselines3's BaseCallback, or a list of them; got "
            f"{strange[0]!r}"
        )
    return listed


def _remembering(callbacks: Sequence[BaseCallback]) -> list[str]:
    """Name the callbacks that have a part in what a run becomes."""
    return [type(callback).__name__ for callback in callbacks if isinstance(callback, Part)]


def _carry_out(
    plan: "Plan",
    folder: Path | str | None,
    callbacks: Sequence[BaseCallback],
    *,
    restart: bool,
    progress_bar: bool,
    every: int,
    threads: int,
) -> Run:
    every = require_integer("checkpoint_every", every, 0)
    threads = require_integer("threads", threads, 1)
    keep = tempfile.TemporaryDirectory(prefix="teachrl-") if folder is None else None
    config = plan.config()
    if names := _remembering(callbacks):  # without them the run would be another one
        config["callbacks"] = names
    with RunFolder(keep.name if keep else folder, config, restart) as run_folder:  # type: ignore[arg-type]
        if run_folder.is_done:
            log.info("%s is done already; a restart would repeat it", run_folder.path)
            return Run.load(run_folder.path)
        log.info("torch threads: %d", threads)
        with torch_threads(threads):
            model = train(plan, run_folder.path, callbacks, progress_bar, every)
    return Run(run_folder.path, model, keep)


@dataclass(frozen=True)
class Plan:
    """A run that has been checked but not begun."""

    student: StudentSpec
    env: Callable[..., gym.Env[Any, Any]]
    teacher: Teacher
    steps: int
    seed: int
    n_envs: int
    processes: bool
    declared: Declaration
    test_set: TestSet
    evaluate_every: int

    @classmethod
    def checked(
        cls,
        student: Any,
        env: Callable[..., gym.Env[Any, Any]] | str,
        teacher: Teacher,
        *,
        steps: int,
        seed: int,
        n_envs: int,
        processes: bool,
        options: Mapping[str, Any],
        test_set: TestSet | None,
        evaluate_every: int | None,
    ) -> "Plan":
        """Refuse what cannot work, before anything is written or trained."""
        steps, n_envs = require_integer("steps", steps, 1), require_integer("n_envs", n_envs, 1)
        seed = require_integer("seed", seed, 0)
        require_teacher(teacher)
        if not isinstance(processes, bool):  # any word would count as a yes
            raise TypeError(f"processes must be True or False, got {processes!r}")
        every = max(1, steps // 5) if evaluate_every is None else evaluate_every
        every = require_integer("evaluate_every", every, 0)
        spec = StudentSpec.of(student, options)
        factory = resolve_env(env)
        example = factory()
        declared = Declaration.of(example)
        spec.require_actions(example.action_space)
        require_signals(teacher, spec.algorithm)
        require_antagonist(teacher, spec.algorithm)
        require_companions(teacher, n_envs)
        try_teacher(replace(teacher), declared, seed)  # type: ignore[type-var]
        tests = chosen_test_set(test_set, example)
        example.close()
        return cls(spec, factory, teacher, steps, seed, n_envs, processes, declared, tests, every)

    @classmethod
    def of_run(cls, run: Run) -> "Plan":
        """Rebuild the plan of a run from its folder."""
        config = run.config
        example = run.env()
        declared = Declaration.of(example)
        example.close()
        return cls(
            student=StudentSpec.from_config(config["student"]),
            env=run.env,
            teacher=from_config(config["teacher"], Teacher)(),
            steps=config["steps"],
            seed=config["seed"],
            n_envs=config["n_envs"],
            processes=config["processes"],
            declared=declared,
            test_set=run.test_set,
            evaluate_every=config["evaluate_every"],
        )

    def config(self) -> dict[str, Any]:
        """Return what ``config.json`` holds."""
        config: dict[str, Any] = {
            "student": self.student.config(self.n_envs),
            "env": to_config(self.env),
            "task_space": self.declared.task_space.to_json(),
            "reward_range": self.declared.reward_range,
            "mastery_threshold": self.declared.mastery_threshold,
            "target": self.declared.target and asdict(self.declared.target),
            "teacher": to_config(type(self.teacher), self.teacher.config()),
            "steps": self.steps,
            "seed": self.seed,
            "n_envs": self.n_envs,
            "processes": self.processes,
            "evaluate_every": self.evaluate_every,
            "test_set": {"tasks": len(self.test_set), "fingerprint": self.test_set.fingerprint},
            "versions": versions(),
            "git": git_revision(),
        }
        return cast(dict[str, Any], to_json(config))


def require_integer(name: str, value: Any, least: int) -> int:
    """Return an integer of Python's or NumPy's as Python's, or refuse what is none."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
    return int(value)


def train(
    plan: Plan,
    folder: Path,
    callbacks: Sequence[BaseCallback],
    progress_bar: bool,
    checkpoint_every: int,
) -> BaseAlgorithm:
    """Carry out a plan and record it in ``folder``, going on from its last checkpoint."""
    evaluation = EvaluationCallback(plan.env, plan.test_set, plan.evaluate_every, plan.processes)
    recorder, pictures = Recorder(folder, plan.test_set, plan.steps), PictureCallback(plan.steps)
    evaluation.listeners += [recorder.record_evaluation, pictures.record_evaluation]
    teaching, logs = TeacherCallback(), LogKeeper(folder)
    parts: dict[str, Part] = {"teaching": teaching, "evaluation": evaluation, "recorder": recorder}
    parts.update(parts_of(callbacks), pictures=pictures, logs=logs)
    saving = CheckpointCallback(folder, checkpoint_every, parts)
    own: list[BaseCallback] = [teaching, evaluation, recorder, pictures, saving]
    own += [ProgressBarCallback(plan.steps, evaluation)] if progress_bar else []
    with closing(make_task_vec_env(plan.env, plan.n_envs, plan.processes)) as venv:
        taught = TaughtVecEnv(venv, replace(plan.teacher), plan.seed)  # type: ignore[type-var]
        env = plan.student.wrap(WholeEpisodeMonitor(taught))
        restored = load_checkpoint(folder, env, plan.student.algorithm)
        if restored:
            before = recorder.episodes_before(restored.extra["recorder"], taught.task_space)
            restored.apply(before)
            saving.restore(restored.extra)
        elif not plan.processes:  # those are for worlds that may hang, or kill who plays them
            with closing(plan.env()) as example:
                warn_unless_repeating(example)
        model = restored.model if restored else plan.student.make(env, plan.seed)
        model.set_logger(logs.open(model.num_timesteps))
        with closing(logs), stopping_softly(saving):
            remaining = plan.steps - model.num_timesteps
            model.learn(remaining, callback=[*own, *callbacks], reset_num_timesteps=False)
    return model

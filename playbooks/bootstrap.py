"""Turns bare hosts into a farm that serves; run again it completes what is missing."""

from playbooks.deployment import Deployment, Order, Report, prepare
from playbooks.rollout import GO_BACK, Rollout, RolloutSettings
from playbooks.runner import Runner


def bootstrap(order: Order, runner: Runner) -> Report:
    """Install, start what does not run, change what runs otherwise, and prove that it serves.

    A host that fails is left out and the others go on; without the head nothing starts. What
    serves already is changed one node at a time, drained first.

    Raises:
        ConfigurationError: the inventory or this machine's own files do not allow it.
    """
    report = Report()
    farm = prepare(order, runner, report)
    cluster = _start_head(farm, report)
    if not farm.leads():
        for host in runner.going:
            runner.skip(host, f"the head {farm.head.name} does not run")
        return report
    farm.bring_revocations()
    before = farm.instances()
    running = farm.running_nodes()
    fresh = [host for host in farm.nodes() if host not in running]
    runner.phase(lambda host: farm.node_steps(host, cluster, anew=False), fresh)
    farm.bring_models()
    farm.bring_tokens()
    report.notes += farm.taken_out()
    farm.start_gateway(cluster)
    if not runner.settings.dry_run:
        # A new host changes the rules everywhere, which is no reason to drain the others.
        runner.phase(lambda _: farm.shelf.wall(), running)
    told = farm.instances().told
    # The gateway of before, if one served, has brought these up as it knew them.
    knew = before.told if before.serving else {}
    early = [host for host in fresh if knew.get(host.name) not in (None, told.get(host.name))]
    stale = [*early, *(host for host in farm.stale_nodes(cluster) if host not in early)]
    if runner.settings.dry_run:
        runner.phase(lambda host: farm.node_steps(host, cluster, anew=True), stale)
        return report
    if stale:
        farm.await_handover()
    if farm.leads():
        rollout = Rollout(
            runner, farm.gateway, settings=RolloutSettings(), tell=order.supplies.tell
        )
        rollout.roll(stale, lambda host: farm.node_steps(host, cluster, anew=True), go_back=GO_BACK)
        farm.prove(report)
    return report


def _start_head(farm: Deployment, report: Report) -> str:
    """Bring the head up if it does not run; return the letter of the cluster it leads.

    One that runs keeps its release: the cluster lives in it.
    """
    now = farm.instances()
    cluster = now.cluster
    if not farm.leads():
        return cluster
    wanted = farm.releases[farm.head.name].id
    keeps = now.runs.get(f"head-{cluster}", wanted) if now.leading else wanted
    farm.start_head(cluster, keeps)
    if now.leading and (keeps != wanted or farm.instances().heads[cluster].stale):
        report.notes.append(
            f"{farm.head.name}: Ray's head still runs what it was started with; `farm upgrade`"
            " brings it what has changed since, without a pause"
        )
    return cluster

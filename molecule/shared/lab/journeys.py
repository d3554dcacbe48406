"""The way of a service to another release and back, and a refusal, as a person sees them in each way to run them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import rights
from as_a_user import User, Way
from lab import INVENTORIES, Host, Lab

REASON = "INC-421 login loop"


@dataclass(frozen=True)
class Leg:
    """A procedure that changes the release. serves: the release that answers afterwards."""

    procedure: str
    inputs: Mapping[str, str]
    serves: str


@dataclass(frozen=True)
class Refusal:
    """A procedure that is refused. words: what a person reads, beside the code."""

    procedure: str
    inputs: Mapping[str, str]
    code: str
    words: Sequence[str] = ()


@dataclass(frozen=True)
class Journey:
    """A service on one or more hosts. Its legs alternate, so that no reset lies between two ways to run them.

    serves: the release that answers on a host. secrets: values that nobody may see. rights: the rows of the page of
    rights that its operator has, and no others. variables: what the inventory of the lab does not say.
    """

    hosts: Sequence[Host]
    serves: Callable[[Host], str]
    there: Leg
    back: Leg
    refusal: Refusal
    secrets: Sequence[str]
    rights: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def goes(self, way: Way, folder: Path) -> None:
        """A plan that changes nothing, and then the leg that is next, with a record of it."""
        user, names = self._user(way, folder), [host.name for host in self.hosts]
        before = self._seen()
        leg = self.back if before[0] == self.there.serves else self.there
        records = [host.ledger() for host in self.hosts]
        user.plan(leg.procedure, **leg.inputs).planned(*names).without(self.secrets)
        assert (self._seen(), [host.ledger() for host in self.hosts]) == (before, records)
        user.run(leg.procedure, **leg.inputs, reason=REASON).done(*names).without(self.secrets)
        assert self._seen() == [leg.serves for _host in self.hosts]
        for host, known in zip(self.hosts, records, strict=True):
            *earlier, record = host.ledger()
            assert (earlier, record["outcome"], record["reason"]) == (known, "succeeded", REASON)
        self._private()

    def is_refused(self, way: Way, folder: Path) -> None:
        """The reason and the ways forward are on the screen, and the service is as it was."""
        before, counts = self._seen(), [len(host.ledger()) for host in self.hosts]
        seen = self._user(way, folder).run(self.refusal.procedure, **self.refusal.inputs)
        for host in self.hosts:
            seen.refused(host.name, self.refusal.code, *self.refusal.words).without(self.secrets)
        assert self._seen() == before
        for host, count in zip(self.hosts, counts, strict=True):
            assert [record["outcome"] for record in host.ledger()[count:]] == ["refused"]
        self._private()

    def _user(self, way: Way, folder: Path) -> User:
        host = ",".join(host.name for host in self.hosts)
        return User(way, host, folder, INVENTORIES, **self.variables)

    def _seen(self) -> list[str]:
        return [self.serves(host) for host in self.hosts]

    def _private(self) -> None:
        """Nobody waits, no record has a secret, and the operator has the rights of the page and nothing more."""
        wanted = sorted(rule for row in self.rights for rule in rights.of_page()[row])
        for host in self.hosts:
            records = host.root(f"cat {host.state}/*", check=False)
            assert not [secret for secret in self.secrets if secret in records] and not host.has_lease()
            # Two files may give the same right.
            assert sorted({*rights.of_sudo(host.root("sudo -l -U deploy", check=False))}) == wanted


def laravel(lab: Lab) -> Journey:
    """From v1.1.0 to v1.7.0 and back, with the strategy of this host."""
    lab.at("v1.0.0", "v1.1.0")
    return Journey(
        hosts=[lab],
        serves=lambda host: host.version(),
        there=Leg("laravel_deploy", {"to": "v1.7.0"}, "1.7.0"),
        back=Leg("laravel_rollback", {}, "1.1.0"),
        # The first digits of a commit are a number of YAML, and the text of that number is another one.
        refusal=Refusal("laravel_deploy", {"to": "0123456"}, "unknown_release", ["0123456"]),
        secrets=[lab.root(f"grep ^APP_KEY= {lab.app}/.env | cut -d= -f2-")],
        rights=["Laravel"],
        # The inventory of the lab has the other one.
        variables={"laravel_strategy": lab.strategy} if lab.strategy == "releases" else {},
    )

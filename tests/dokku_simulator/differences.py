"""Steps whose recording differs from the simulator's answers, and why that is not a fault of it."""

from __future__ import annotations

OTHERS_LISTED = "another scenario's app had put the same source image on the list of what is to be retired"
EARLY = "the early rebuild of the proxy shows its lines or not, on the same path; why is not known"
PYTHON = "what the recorded demo, written in Python, says when it has no port"
OTHERS_CLEANED = "another scenario's cleanup or retire ran in between"
MARIADB = "MariaDB stands in for MySQL, and words its dump in its own way"

ARTEFACT = "an artefact of the recording, as its own note says"
CORE_EVENTS = "core's own hundreds of triggers are not called, so they are not logged"
OTHER_BUILDS = "builds that other scenarios had made"

OTHER_APPS = "apps of other scenarios"
WAIT = "another scenario had set wait-to-retire in between"

KNOWN: dict[str, dict[int, str]] = {
    "05-deploy-from-image": {19: EARLY},
    "06-ps-deployed": {53: PYTHON, 56: PYTHON, 57: PYTHON},
    "21-concurrency": {3: EARLY},
    "11-resource": {12: ARTEFACT, 13: OTHER_BUILDS},
    "15-events-plugins": {6: CORE_EVENTS, 10: CORE_EVENTS},
    "11b-resource-failed-restart": {6: OTHER_BUILDS, 10: WAIT},
    "16-mysql": {60: MARIADB, 123: MARIADB},
    "13-cleanup-retention": {
        15: OTHERS_LISTED,
        32: "a line about another scenario's held image",
        41: "a line about another scenario's held image",
    },
    "13b-hold-strategies": {16: OTHERS_CLEANED, 17: OTHERS_CLEANED, 18: OTHERS_CLEANED, 19: OTHERS_CLEANED},
    "18-letsencrypt": {7: OTHER_APPS},
    "20-triggers": {23: OTHER_APPS, 27: OTHERS_CLEANED},
    "19-rollback": {
        32: OTHERS_LISTED,
        48: OTHERS_CLEANED,
        60: OTHERS_CLEANED,
        78: "the source images lie on an image of their own here, so the engine words its refusal in another way",
    },
    "22-killed-deploy": {11: OTHERS_CLEANED, 13: OTHERS_CLEANED},
}

# Commands that nobody here asks for: help texts, plugin:*, report, builds:output, what needs a terminal or a tar. mysql
# and redis are compared by the tests of the services. A refused change makes what comes after it incomparable.
REFUSED_AT_MOST = {
    "01-commands": 39,
    "03-config": 1,
    "04-ps-undeployed": 5,
    "05-deploy-from-image": 1,
    "06-ps-deployed": 1,
    "07-git-push": 1,
    "09-domains": 2,
    "10-nginx": 7,
    "14-run-enter": 4,
    "15-events-plugins": 15,
    "16-mysql": 131,
    "17-redis": 24,
    "21-concurrency": 1,
}

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time

from .apps import check_name, make_app
from .builder import build_image, deploy_lock, extract
from .builds import begin_build, end_build
from .core import (
    DOCKER,
    HOME,
    Command,
    Failure,
    apps,
    branch,
    config,
    docker,
    git,
    header,
    image_id,
    info,
    parse,
    read_state,
    refuse,
    report,
    say,
    show_json,
    state,
    trigger,
    verbose,
    verify,
    warn,
)
from .scheduler import release_and_deploy


def set_revision(app: str, rev: str) -> None:
    with config(app) as variables:
        variables["GIT_REV"] = rev
    trigger("post-config-update", app, "set", "GIT_REV")


def receive(app: str, rev: str, known: bool = False) -> None:
    """A revision that is built once more is not set anew, though a rollback may have set another one."""
    with deploy_lock(app):
        if not known:
            set_revision(app, rev)
        extract(app, rev)
        build_image(app, rev)
        release_and_deploy(app, "latest", os.environ["DOKKU_BUILD_SOURCE"])


def from_image(argv: list[str]) -> None:
    words, flags = parse(argv, "build-dir=")
    if flags:
        refuse(f"git:from-image {' '.join(argv)}")
    app = verify(words[0] if words else "")
    if len(words) < 2:
        raise Failure("Please specify a docker image")
    image = words[1]
    begin_build(app, "git:from-image")
    info("Generating build context")
    if image_id(image):
        info("Image exists on host, skipping pull")
    else:
        info("Pulling image")
        ran = subprocess.run([DOCKER, "image", "pull", image], capture_output=True, text=True)
        say(ran.stderr.strip())
        raise Failure(f"Failed to pull image: {image}")
    info("Updating git repository with specified build context")
    with state(app) as known:
        known["source_image"] = image
    dockerfile = f'FROM {image}\nLABEL com.dokku.docker-image-labeler/alternate-tags=[\\"{image}\\"]\n'
    head = git(app, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch(app)}", check=False)
    if not head:
        verbose("Detected branch, setting deploy-branch to master")
        with state(app) as known:
            known["deploy_branch"] = "master"
    elif git(app, "show", f"{head}:Dockerfile", check=False).strip() == dockerfile.strip():
        warn("No changes detected, skipping git commit")
        raise Failure("Call 'ps:rebuild' on app to rebuild the app from existing source")
    blob = git(app, "hash-object", "-w", "--stdin", input=dockerfile)
    files = f"100644 blob {blob}\tDockerfile\n" + files_of(app, image)
    tree = git(app, "mktree", input=files)
    person = {
        "NAME": words[2] if len(words) > 2 else "Dokku",
        "EMAIL": words[3] if len(words) > 3 else "automated@dokku.sh",
    }
    who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in person.items()}
    message = f"Automated commit @ {int(time.time())}" if head else "Initial commit"
    rev = git(app, "commit-tree", tree, *(("-p", head) if head else ()), "-m", message, env={**os.environ, **who})
    git(app, "update-ref", f"refs/heads/{branch(app)}", rev)
    with state(app) as known:
        known["last_updated"] = str(int(time.time()))
    try:
        receive(app, rev)
    except Failure as failure:
        if "apps:unlock" not in failure.message:
            if head:
                git(app, "update-ref", f"refs/heads/{branch(app)}", head)
            else:
                git(app, "update-ref", "-d", f"refs/heads/{branch(app)}")
                with state(app) as known:
                    known["last_updated"] = ""
            end_build(app, 1)
        raise
    end_build(app, 0)
    with state(app) as known:
        known["deploy_source"] = ["docker-image", image]
    trigger("deploy-source-set", app, "docker-image", image)


def files_of(app: str, image: str) -> str:
    """app.json and Procfile that an image brings along, as lines for mktree."""
    cid = docker("container", "create", image, "true")
    workdir = docker("image", "inspect", "--format", "{{.Config.WorkingDir}}", image) or "/"
    lines = ""
    try:
        for name in ("Procfile", "app.json"):
            ran = subprocess.run([DOCKER, "container", "cp", f"{cid}:{workdir}/{name}", "-"], capture_output=True)
            if ran.returncode == 0:
                text = subprocess.run(["tar", "-xO"], input=ran.stdout, capture_output=True).stdout
                blob = git(app, "hash-object", "-w", "--stdin", input=text.decode())
                lines += f"100644 blob {blob}\t{name}\n"
    finally:
        docker("container", "rm", cid, check=False)
    return lines


def git_hook(argv: list[str]) -> None:
    """Called by the pre-receive hook of the app's repository, with the pushed references on standard input."""
    app = verify(argv[0] if argv else "")
    begin_build(app, "git-hook")
    for line in sys.stdin.read().splitlines():
        _, new, reference = line.split()
        if reference != f"refs/heads/{branch(app)}":
            say(f"\x1b[1G\x1b[K-----> WARNING: deploy did not complete, you must push to {branch(app)}.")
            say(
                f"\x1b[1G\x1b[K-----> for example, try 'git push <dokku> {reference.removeprefix('refs/heads/')}:{branch(app)}'"
            )
            continue
        with state(app) as known:
            known["last_updated"] = str(int(time.time()))
        receive(app, new)
        end_build(app, 0)
        with state(app) as known:
            known["deploy_source"] = ["git-push", new]
            # Not before the deploy is over: the triggers before this one still see it.
            known["source_image"] = ""
        trigger("deploy-source-set", app, "git-push", new)


def rebuild(argv: list[str]) -> None:
    app = argv[0] if argv else ""
    begin_build(app, "ps:rebuild")
    verify(app)
    head = git(app, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch(app)}", check=False)
    if not head:
        say(
            f"\x1b[1G\x1b[K-----> WARNING: Cannot build from '{branch(app)}' as there are no commits stored at that branch."
        )
        end_build(app, 1)
        sys.exit(1)
    try:
        receive(app, head, known=True)
    except Failure as failure:
        if "apps:unlock" not in failure.message:
            end_build(app, 1)
            raise
        warn(failure.message)
        warn(f" !     {app} currently has a deploy lock in place. Exiting...")
        raise
    end_build(app, 0)


def git_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format= global", lenient=True)
    if "global" in flags:
        refuse("git:report --global")
    app = verify(words[0] if words else "")
    known = read_state(app)
    values = {
        "git-computed-archive-max-files": "10000",
        "git-computed-archive-max-size": "1073741824",
        "git-computed-deploy-branch": branch(app),
        "git-computed-keep-git-dir": "false",
        "git-deploy-branch": known["deploy_branch"],
        "git-global-archive-max-files": "",
        "git-global-archive-max-size": "",
        "git-global-deploy-branch": "",
        "git-global-keep-git-dir": "",
        "git-keep-git-dir": "",
        "git-last-updated-at": known["last_updated"],
        "git-rev-env-var": "GIT_REV",
        "git-sha": git(app, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch(app)}", check=False) or "HEAD",
        "git-source-image": known["source_image"],
    }
    if flags.get("format") == "json":
        show_json({key.removeprefix("git-"): value for key, value in values.items()})
    else:
        report(app, "git", values, flags)


def git_set(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    name, value = (argv[1:] + ["", ""])[:2]
    valid = ["archive-max-files", "archive-max-size", "deploy-branch", "keep-git-dir", "rev-env-var", "source-image"]
    if name not in valid:
        raise Failure(f"Invalid key specified, valid keys include: {', '.join(valid)}")
    if name != "deploy-branch":
        refuse(f"git:set {name}")
    with state(app) as known:
        known["deploy_branch"] = value
    header(f"Setting {name} to {value}")


def sync(argv: list[str]) -> None:
    """Of this no recording exists: it follows the documentation, and its words are its own."""
    words, flags = parse(argv, "build build-if-changes skip-deploy-branch")
    app = verify(words[0] if words else "")
    if len(words) < 2:
        raise Failure("Missing repository argument")
    remote, reference = words[1], (words + [""])[2]
    if flags:
        begin_build(app, "git:sync")
    info(f"Fetching remote code for {app} from {remote}" + (f"#{reference}" if reference else ""))
    # By name or by commit; a commit that no reference names is found among all that there is.
    git(
        app,
        "fetch",
        "--quiet",
        "--force",
        "--tags",
        remote,
        "+refs/heads/*:refs/sync/*",
        check=False,
    )
    # A bundle may have no HEAD.
    git(app, "fetch", "--quiet", "--force", remote, "+HEAD:refs/synced-head", check=False)
    names = (f"refs/tags/{reference}", f"refs/sync/{reference}", reference) if reference else ("refs/synced-head",)
    commits = {name: git(app, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", check=False) for name in names}
    meant = next((name for name, commit in commits.items() if commit), "")
    fetched = commits.get(meant, "")
    if not fetched:
        if flags:
            end_build(app, 1)
        raise Failure(f"Failed to fetch {reference} from {remote}")
    here = branch(app)
    before = git(app, "rev-parse", "--verify", "--quiet", f"refs/heads/{here}", check=False)
    git(app, "update-ref", f"refs/heads/{here}", fetched)
    with state(app) as known:
        known["last_updated"] = str(int(time.time()))
    if "build" not in flags and ("build-if-changes" not in flags or before == fetched):
        if flags:
            end_build(app, 0)
            info("Skipping build as no changes were detected")
        return
    # The branch has the commit of an annotated tag, the variable and the source have the tag's own id.
    fetched = git(app, "rev-parse", meant)
    try:
        receive(app, fetched)
    except Failure as failure:
        if "apps:unlock" not in failure.message:
            end_build(app, 1)
        raise
    end_build(app, 0)
    with state(app) as known:
        known["deploy_source"] = ["git-sync", f"{remote}#{fetched}"]
        # Not before the deploy is over: the triggers before this one still see it.
        known["source_image"] = ""
    trigger("deploy-source-set", app, "git-sync", f"{remote}#{fetched}")


def git_pack(command: str, argv: list[str]) -> None:
    """The command that git calls over ssh. A push creates an app that is not there."""
    app = (argv[0] if argv else "").strip("'").removeprefix("/")
    check_name(app)
    if app not in apps():
        if command == "git-upload-pack":
            verify(app)
        # Only what the other side of git reads may be on standard output.
        with contextlib.redirect_stdout(sys.stderr):
            make_app(app)
    sys.stdout.flush()
    os.execvp("git-shell", ["git-shell", "-c", f"{command} '{HOME / app}'"])


COMMANDS: dict[str, Command] = {
    "ps:rebuild": rebuild,
    "git:from-image": from_image,
    "git:report": git_report,
    "git:set": git_set,
    "git:sync": sync,
    "git-hook": git_hook,
    "git-receive-pack": lambda argv: git_pack("git-receive-pack", argv),
    "git-upload-pack": lambda argv: git_pack("git-upload-pack", argv),
}

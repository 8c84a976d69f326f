"""Where a copy of the course is hosted: nowhere, until its configuration names a place."""

import subprocess
from dataclasses import dataclass

from bookbuild.project import Project


@dataclass(frozen=True)
class Stamp:
    """Addresses of one hosted copy; all empty while nobody hosts one.

    repository: the git address that notebooks install from; commit: the exact commit; site: the
    address of the pages, for links from notebooks and slides into the book; branch: where Colab
    finds the notebooks.
    """

    repository: str = ""
    commit: str = ""
    site: str = ""
    branch: str = "published"

    def __post_init__(self) -> None:
        """Refuse half a stamp: a notebook must install exactly what it was executed with."""
        if bool(self.repository) != bool(self.commit):
            raise ValueError(
                "repository and commit belong together: expected both or neither, got "
                f"repository={self.repository!r}, commit={self.commit!r}; pass the commit"
            )

    @classmethod
    def at(cls, project: Project, repository: str, site: str, commit: str = "") -> "Stamp":
        """A stamp for a repository; without a commit, the one that is checked out."""
        if not commit:
            command = ["git", "rev-parse", "HEAD"]
            found = subprocess.run(
                command, cwd=project.root, capture_output=True, text=True, check=True
            )
            commit = found.stdout.strip()
        return cls(repository, commit, site)

    def link(self, words: str, page: str) -> str:
        """Markdown that leads to a page of the book, or only the words while it has no address."""
        return f"[{words}]({self.site.rstrip('/')}/{page})" if self.site else words

    def colab(self, stem: str) -> str:
        """Address that opens a notebook in Colab, which reads notebooks from GitHub only, or ''."""
        host = "https://github.com/"
        if not self.repository.startswith(host):
            return ""
        name = self.repository.removeprefix(host).removesuffix(".git").strip("/")
        return (
            f"https://colab.research.google.com/github/{name}/blob/{self.branch}"
            f"/notebooks/{stem}.ipynb"
        )


def configured_stamp(project: Project) -> Stamp:
    """What `_config.yml` says about hosting: nothing, until repository.url names a copy."""
    address = project.settings.get("repository", {}).get("url", "")
    site = project.settings.get("html", {}).get("baseurl", "")
    return Stamp.at(project, address, site) if address else Stamp(site=site)

"""Where a copy of the course is hosted: nowhere, until its configuration names a place."""

from dataclasses import dataclass

from bookbuild.project import Project


@dataclass(frozen=True)
class Stamp:
    """Addresses of one hosted copy; all empty while nobody hosts one.

    Attributes:
        repository: where the code is, and, if that is GitHub, where Colab finds the notebooks.
        site: the address of the pages, for links from notebooks and slides into the book.
        wheel: the address of the package's wheel on that site, with its checksum.
        branch: where the notebooks lie in the repository.
    """

    repository: str = ""
    site: str = ""
    wheel: str = ""
    branch: str = "published"

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
    return Stamp(address, project.settings.get("html", {}).get("baseurl", ""))

"""sleepdata.org as its own source describes it, with one dataset and one valid token."""

import hashlib

from file_server import FileHandler, FileServer

TOKEN = "4127-aBcdEfgHijKlmNopQrsTuv"


class NsrrServer(FileServer):
    """Serves the files under a folder as a dataset of the NSRR; paths in ``refused`` are not given."""

    def __init__(self, slug, root, *, md5=True):
        self.slug, self.md5, self.refused = slug, md5, set()
        self.tree = {p.relative_to(root).as_posix(): p for p in root.rglob("*") if p.is_file()}
        super().__init__(NsrrHandler)

    def address(self, path):
        return f"/datasets/{self.slug}/files/m/psgimg/{path}"


class NsrrHandler(FileHandler):
    def answer(self, path, query, fault):
        allowed = query.get("auth_token") == [TOKEN]
        if path == f"/api/v1/datasets/{self.server.slug}/files.json":
            return self.json(self.rows(query["path"][0])) if allowed else self.json([])
        if fault is None and path.startswith(self.server.address("")):
            name = path.removeprefix(self.server.address(""))
            if not allowed or name in self.server.refused:
                fault = 302
            elif name in self.server.tree:
                return self.serve(self.server.tree[name].read_bytes(), None)
        elif fault and path.startswith(self.server.address("")):
            name = path.removeprefix(self.server.address(""))
            self.server.files[path] = self.server.tree[name].read_bytes()
        return super().answer(path, query, fault)

    def rows(self, folder):
        inside = [name for name in self.server.tree if name.startswith(f"{folder}/")]
        children = sorted({f"{folder}/{name[len(folder) + 1 :].split('/')[0]}" for name in inside})
        return [self.row(child) for child in children]

    def row(self, path):
        file = self.server.tree.get(path)
        content = file.read_bytes() if file else b""
        return {
            "dataset": self.server.slug,
            "full_path": path,
            "folder": path.rpartition("/")[0] + "/",
            "file_name": path.rpartition("/")[2],
            "is_file": file is not None,
            "file_size": len(content),
            "file_checksum_md5": hashlib.md5(content).hexdigest()
            if file and self.server.md5
            else None,
            "archived": False,
        }

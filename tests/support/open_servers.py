"""PhysioNet, OpenNeuro and Zenodo as their clients see them, each with the files of a folder."""

import hashlib
from xml.sax.saxutils import escape

from file_server import FileHandler, FileServer

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def bucket_page(stored, more=""):
    """Return a page of a bucket's list."""
    entries = "".join(
        f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size>"
        f'<ETag>"{hashlib.md5(content).hexdigest()}"</ETag></Contents>'
        for key, content in stored
    )
    rest = f"<NextContinuationToken>{more}</NextContinuationToken>" if more else ""
    return f'<?xml version="1.0"?><ListBucketResult xmlns="{NAMESPACE}">{entries}{rest}</ListBucketResult>'


class BucketHandler(FileHandler):
    """Answers the list of the bucket in pages of ``page`` entries."""

    page = 3

    def answer(self, path, query, fault):
        if path == "/" and fault is None and self.server.lists:
            prefix, begin = query["prefix"][0], int(query.get("continuation-token", ["0"])[0])
            keys = sorted(key[1:] for key in self.server.files if key[1:].startswith(prefix))
            chosen = keys[begin : begin + self.page]
            more = str(begin + self.page) if begin + self.page < len(keys) else ""
            text = bucket_page([(key, self.server.files["/" + key]) for key in chosen], more)
            return self.reply(200, text.encode(), {"Content-Type": "application/xml"})
        return super().answer(path, query, fault)


class BucketServer(FileServer):
    """A bucket that holds ``files``; ``lists`` whether it may be listed."""

    def __init__(self):
        self.lists = True
        super().__init__(BucketHandler)

    def put(self, prefix, root):
        for path in root.rglob("*"):
            if path.is_file():
                self.files[f"/{prefix}/{path.relative_to(root).as_posix()}"] = path.read_bytes()

    def put_sums(self, prefix):
        inside = [
            (key, content) for key, content in self.files.items() if key.startswith(f"/{prefix}/")
        ]
        lines = [
            f"{hashlib.sha256(content).hexdigest()} {key.removeprefix(f'/{prefix}/')}\n"
            for key, content in inside
        ]
        self.files[f"/{prefix}/SHA256SUMS.txt"] = "".join(lines).encode()


class ZenodoServer(FileServer):
    """A record with one archive."""

    def __init__(self, record, name, archive):
        self.record, self.name = record, name
        super().__init__(ZenodoHandler)
        self.files[f"/api/records/{record}/files/{name}/content"] = archive


class ZenodoHandler(FileHandler):
    def answer(self, path, query, fault):
        server = self.server
        if path == f"/api/records/{server.record}" and fault is None:
            content = f"/api/records/{server.record}/files/{server.name}/content"
            archive = server.files[content]
            entry = {
                "key": server.name,
                "size": len(archive),
                "checksum": f"md5:{hashlib.md5(archive).hexdigest()}",
                "links": {"self": server.url + content},
            }
            return self.json({"files": [entry]})
        return super().answer(path, query, fault)

"""Parts of a dataset without a picture worth looking at."""

from psgimg.builder.building import shard_files, shard_plan
from psgimg.builder.dataset import shards


def rows(recording, n=3, corpus="shhs"):
    return [
        {
            "image": {"bytes": f"{recording}/{i}".encode() * 20, "path": None},
            "label": i % 5,
            "corpus": corpus,
            "subject": recording[:4],
            "recording": recording,
            "epoch": i,
            "onset_s": 30.0 * i,
            "label_2": None,
            "votes": None,
            "lanes": ["C4-M1", None],
        }
        for i in range(n)
    ]


def facts(recording, mark=0, corpus="shhs"):
    return {
        "corpus": corpus,
        "recording": recording,
        "subject": recording[:4],
        "kin": recording[:4],
        "mark": mark,
    }


def publish(out):
    done = shards.finished(out)
    shard_files.publish(out, shard_plan.plan(done.values(), dict.fromkeys(done, "train")))


def write(out, names, mark=0, corpus="shhs"):
    for name in names:
        shards.write_part(out, rows(name, corpus=corpus), facts(name, mark, corpus))


def content(out):
    return {
        p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()
    }

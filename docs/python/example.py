"""What a script does with the generated client (docs/api.md): python example.py ADDRESS PROJECT PICTURE, with STUDIO_TOKEN."""

import io
import os
import pathlib
import sys
import time

from studio_client import AuthenticatedClient
from studio_client.api.exports import export
from studio_client.api.images import images, picture
from studio_client.api.imports import begin_import, import_, send_import_bytes, start_import
from studio_client.api.sessions import session
from studio_client.api.tasks import task, tasks
from studio_client.models import BeginRequestBody, ExportFormat, ImportChoices, ImportChoicesSplit, PictureKind, Problem, StagedFile
from studio_client.types import File


def fine(answer):
    """The answer, unless it is a problem."""
    if isinstance(answer, Problem):
        sys.exit(f"{answer.title}: {answer.detail}")
    return answer


address, project, photo = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
studio = AuthenticatedClient(base_url=address + "/api/v1", token=os.environ["STUDIO_TOKEN"])
print("signed in as", fine(session.sync(client=studio)).user.name)

listed = fine(images.sync(project, client=studio)).images
print("images", len(listed))
original = fine(picture.sync(listed[0].id, client=studio, kind=PictureKind.ORIGINAL)).payload.read()
print("picture of", listed[0].name, len(original), "bytes")

one = fine(task.sync(fine(tasks.sync(client=studio, project=project)).tasks[0].id, client=studio))
print("task", one.id, one.state, f"on a map of {one.prediction.map_.h}x{one.prediction.map_.w}, answer", one.prediction.top[0].name)

maps = fine(export.sync(project, client=studio, format_=ExportFormat.NPZ, state=["submitted", "approved"]))
print("maps", len(maps), "bytes")

sent = photo.read_bytes()
begun = fine(begin_import.sync(project, client=studio, body=BeginRequestBody(name=photo.name, files=[StagedFile(path=photo.name, bytes_=len(sent))])))
while begun.received < len(sent):
    chunk = sent[begun.received : begun.received + (32 << 20)]
    begun = fine(send_import_bytes.sync(begun.id, client=studio, offset=begun.received, body=File(payload=io.BytesIO(chunk))))
begun = fine(start_import.sync(begun.id, client=studio, body=ImportChoices(split=ImportChoicesSplit.POOL)))
for _ in range(600):
    if begun.state in ("imported", "received"):
        break
    time.sleep(0.1)
    begun = fine(import_.sync(begun.id, client=studio))
print("import", begun.state, begun.problem or "")

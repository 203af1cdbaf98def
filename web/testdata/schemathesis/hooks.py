"""What Schemathesis looks for beside its own checks: the studio refuses nothing that its description allows."""

import schemathesis

# What is refused though the description allows it, because a schema cannot say it: by operation and field, as problems name it.
UNSAID = {
    "activationMap": {"body.map": "its values are h·w; the attention branch reads none", "body.class": "the model has so many", "body.value": "the model has such a value"},
    "beginArchive": {"body.bytes": "the studio takes so many"},
    "beginImport": {"body.source": "takes the place of name and files", "body.path": "goes with a source", "body.name": "goes with files", "body.files": "their paths are below one folder, and their sizes are what the studio takes"},
    "addUpload": {"body.manifest": "fits the model"},
    "bringMaps": {"path.project": "has a model", "body.maps": "they are files of maps", "query.reviewer": "goes with a judged state", "query.author": "is a person of the studio"},
    "addVersion": {"body.model": "it is an ONNX file of an Attention Branch Network"},
    "createProject": {"body.slug": "is nobody else's"},
    "createUser": {"body.email": "is an address, and nobody else's", "body.password": "is not easy to guess"},
    "changeUser": {"body.current_password": "is the caller's", "body.password": "is not easy to guess"},
    "createToken": {"body.current_password": "is the caller's"},
    "deleteProject": {"body.name": "is the project's"},
    "export": {"query.since": "is a date", "query.until": "is a date", "query.state": "is one that the records have", "query.format": "is one that the records have",
               "query.threshold": "goes with formats that have one", "query.split": "goes with records of images", "query.class": "goes with records of images",
               "query.author": "goes with records of people", "query.search": "goes with records of images", "query.round": "goes with maps", "query.version": "goes with records of versions",
               "query.revisions": "goes with maps"},
    "images": {"query.unlabelled": "is of images without a label", "query.label": "is one of the project's classes", "query.cursor": "is one that an answer had"},
    "judgeLabel": {"body.comment": "goes with a rejection"},
    "leaveOut": {"body.images": "are held-out images that a training image is like"},
    "lookAtImport": {"body.format": "is a layout that is known"},
    "proposeLabel": {"body.class": "goes with says class, and only with it"},
    "purgeProject": {"body.name": "is the project's"},
    "removeUser": {"body.email": "is the person's"},
    "renameClass": {"body.name": "is no other class's"},
    "review": {"body.comment": "goes with a rejection"},
    "saveDraft": {"body.map": "its values are h·w", "body.changes": "stand instead of a map; cells are of the map, each once, with a value each", "body.kept_steps": "are in the last save's stack", "body.history": "has steps where some are kept", "body.base_revision": "is one of the task's", "body.provenance": "is an object"},
    "score": {"body.map": "its values are h·w"},
    "setStart": {"body.method": "reads what images have", "body.radius": "is large enough for clicks"},
    "startRound": {"body.learning_rate": "is given with adamw", "path.project": "has a model", "body.edits": "are there", "body.gamma": "0 is what the control trains with", "body.batch_size": "batch statistics need two images", "body.engine": "can train the active version"},
    "stateDictByReference": {"body.reference": "is the state_dict of the version's module"},
    "submitTask": {"body.revision": "is the latest"},
    "takeIn": {"body.images": "are left out"},
    "tasks": {"query.cursor": "is one that an answer had"},
}


@schemathesis.check
def described_is_accepted(ctx, response, case):
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in (400, 422):
        return
    problem = response.json()
    operation = case.operation.definition.raw["operationId"]
    known = UNSAID.get(operation, {})
    places = [e.get("location", "") for e in problem.get("errors", [])] or [""]
    unknown = [p for p in places if p not in known]
    assert not unknown, f"{operation} refuses {', '.join(unknown)}, which its description allows: {problem}"

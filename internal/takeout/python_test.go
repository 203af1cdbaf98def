package takeout

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// Each format is read by a program that is not ours, which finds the values that NumPy's arrays have.
func TestOtherProgramsReadEachFormat(t *testing.T) {
	t.Parallel()
	python := os.Getenv("STUDIO_PYTHON")
	if python == "" {
		t.Skip("set STUDIO_PYTHON to a Python that has numpy, pillow, pandas, pyarrow, pycocotools and label-studio-converter to run this test")
	}
	if out, err := exec.Command(python, "-c", "import numpy, PIL, pandas, pyarrow, pycocotools, label_studio_converter").CombinedOutput(); err != nil {
		t.Skipf("STUDIO_PYTHON %s has not all of numpy, pillow, pandas, pyarrow, pycocotools and label-studio-converter: %s", python, out)
	}
	p := newPainted(t)
	dir := t.TempDir()
	for _, format := range Formats {
		for _, kind := range format.Of {
			raw, _ := p.write(t, Request{What: kind, Format: format.Key})
			must(t, os.WriteFile(filepath.Join(dir, string(kind)+"-"+format.Key+format.Suffix), raw, 0o600))
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, "read.py"), []byte(reader), 0o600))
	cmd := exec.Command(python, "read.py")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	if _, err := p.service.CountExport(t.Context(), p.Ada, p.Project.Slug, annotator.ExportMaps, annotator.ExportFilter{}); err != nil {
		t.Fatal(err)
	}
}

// reader compares the files with each other. The world's pictures have 64×48 pixels, its maps 2×3 cells that cover all of them.
const reader = `
import io, json, zipfile
import numpy as np, pandas as pd
from PIL import Image
from pycocotools.coco import COCO
from label_studio_converter import brush

maps = dict(np.load("maps-npz.npz"))
assert len(maps) == 4 and all(m.shape == (2, 3) and m.dtype == np.float32 for m in maps.values()), maps

with zipfile.ZipFile("maps-npy.zip") as z:
    assert sorted(z.namelist()) == sorted(n + ".npy" for n in maps)
    for n, m in maps.items():
        assert (np.load(io.BytesIO(z.read(n + ".npy"))) == m).all()

for kind, levels, mode in [("png8", 255, "L"), ("png16", 65535, "I;16")]:
    with zipfile.ZipFile(f"maps-{kind}.zip") as z:
        about = json.loads(z.read("about.json"))
        assert about["value"] == f"pixel / {levels}"
        for n, m in maps.items():
            picture = Image.open(io.BytesIO(z.read(n + ".png")))
            assert picture.mode == mode, picture.mode
            assert (np.asarray(picture) == np.round(m.astype(np.float64) * levels)).all()

def check(frame, named):
    assert sorted(frame["image"]) == sorted(maps) and (frame["author"] == "Ada").all() and (frame["reviewer"] == "Rose").all()
    for _, row in frame.iterrows():
        values = row["values"] if not isinstance(row["values"], str) else json.loads(row["values"])
        got = np.asarray(values, np.float32).reshape(row["h"], row["w"])
        assert (got == maps[row["image"]]).all(), named

check(pd.read_json("maps-jsonl.jsonl", lines=True), "jsonl")
check(pd.read_csv("maps-csv.csv"), "csv")
parquet = pd.read_parquet("maps-parquet.parquet")
check(parquet, "parquet")
assert str(parquet["reviewed_at"].dtype).startswith("datetime64"), parquet.dtypes
for kind, n in [("predictions", 12), ("reviews", 5), ("tasks", 8)]:
    for frame in [pd.read_json(f"{kind}-jsonl.jsonl", lines=True), pd.read_csv(f"{kind}-csv.csv"), pd.read_parquet(f"{kind}-parquet.parquet")]:
        assert len(frame) == n, (kind, len(frame))
trail = [len(pd.read_json("audit-jsonl.jsonl", lines=True)), len(pd.read_csv("audit-csv.csv")), len(pd.read_parquet("audit-parquet.parquet"))]
assert trail[0] == trail[1] == trail[2] > 10, trail
assert len(np.load("predictions-npz.npz").files) == 12

coco = COCO("maps-coco.json")
assert coco.dataset["info"]["threshold"] == 0.5
assert sorted(i["file_name"] for i in coco.dataset["images"]) == sorted(maps)
for i in coco.dataset["images"]:
    m = maps[i["file_name"]]
    shapes = coco.loadAnns(coco.getAnnIds(imgIds=i["id"]))
    assert len(shapes) == 1 and (i["width"], i["height"]) == (64, 48)
    got = coco.annToMask(shapes[0])
    for row in range(2):
        for column in range(3):
            centre = got[row * 24 + 12, int((column + 0.5) * 64 / 3)]
            assert centre == (m[row, column] >= 0.5), (m, row, column)
    assert abs(got.sum() - shapes[0]["area"]) <= 3 * 48, (got.sum(), shapes[0]["area"])

tasks = json.load(open("maps-labelstudio.json"))
assert sorted(t["data"]["image"] for t in tasks) == sorted(maps)
for t in tasks:
    m = maps[t["data"]["image"]]
    assert t["data"]["threshold"] == 0.5
    (result,) = t["annotations"][0]["result"]
    assert result["type"] == "brushlabels" and result["value"]["format"] == "rle"
    pixels = brush.decode_rle(result["value"]["rle"])
    pixels = np.reshape(pixels, [result["original_height"], result["original_width"], 4])
    assert (pixels == pixels[:, :, 3:]).all()
    for y in range(48):
        for x in range(64):
            cell = m[int((y + 0.5) / 24), int((x + 0.5) * 3 / 64)]
            assert pixels[y, x, 3] == (255 if cell >= 0.5 else 0), (x, y)
print("numpy", np.__version__, "pandas", pd.__version__, "read all")
`

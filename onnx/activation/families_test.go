package activation_test

import (
	"path/filepath"
	"testing"

	"github.com/abn-studio/studio/internal/families"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/activation"
)

// Every published family ends both branches in a global average pool and a linear head, however it was exported: CAM and
// Grad-CAM exist and weight the same value. The small ones are run, where Grad-CAM must be ReLU(CAM)/Z.
func TestFamilies(t *testing.T) {
	t.Parallel()
	list, err := families.List(filepath.Join(fixture.Root(), "onnx", "testdata", "families"))
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string]bool{} // one export of each family is enough to run
	for _, f := range list {
		first := f.Size == "small" && !ran[f.Family]
		ran[f.Family] = ran[f.Family] || first
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			read := f.Structure
			if first {
				read = f.Model
			}
			m, err := read()
			if err != nil {
				t.Fatal(err)
			}
			parts, err := onnx.FindParts(t.Context(), m, onnx.PartNames{})
			if err != nil {
				t.Fatal(err)
			}
			abn, err := onnx.Split(t.Context(), m, parts)
			if err != nil {
				t.Fatal(err)
			}
			if help, err := activation.Help(t.Context(), abn); err != nil || help.Height != abn.Height || help.Width != abn.Width {
				t.Errorf("what would help: %+v, %v", help, err)
			}
			for _, s := range sides(abn) {
				cam, err := activation.CAM(t.Context(), abn, s.branch)
				if err != nil {
					t.Error(err)
					continue
				}
				grad, err := activation.GradCAM(t.Context(), abn, s.branch, "")
				if err != nil {
					t.Error(err)
					continue
				}
				if cam.Value != grad.Value || cam.Height < 2 || s.branch == activation.Attention && (cam.Channels != abn.Classes || cam.Height != abn.Height) {
					t.Errorf("%s: CAM weights %s [%d,%d,%d], Grad-CAM %s", s.branch, cam.Value, cam.Channels, cam.Height, cam.Width, grad.Value)
				}
				if !first {
					continue
				}
				var got, want []float32 // of two classes an image: some maps have no positive cell
				for k := range int64(2) {
					classes := []int64{k, k + 1}
					got = append(got, run(t, grad.Model, s.in, grad.Inputs[len(grad.Inputs)-1], classes, grad.Output)[0].data...)
					for _, v := range run(t, cam.Model, s.in, cam.Inputs[len(cam.Inputs)-1], classes, cam.Output)[0].data {
						want = append(want, max(0, v)/float32(cam.Height*cam.Width))
					}
				}
				near(t, "Grad-CAM of the "+string(s.branch)+" branch", got, want, 1e-5)
			}
		})
	}
}

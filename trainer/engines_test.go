package trainer

import (
	"testing"

	"github.com/abn-studio/studio/onnx"
)

// eachEngine runs a test once per engine.
func eachEngine(t *testing.T, name string, test func(t *testing.T, engine EngineName)) {
	t.Helper()
	for _, engine := range []EngineName{EngineORT, EngineGorgonia} {
		t.Run(name+"/"+string(engine), func(t *testing.T) {
			t.Parallel()
			test(t, engine)
		})
	}
}

// openNamed opens the engine that the settings name on a network.
func openNamed(t *testing.T, m *onnx.Model, s Settings) Engine {
	t.Helper()
	e, err := NewEngine(splitModel(t, m), s, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

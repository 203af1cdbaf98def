package ort

import (
	"reflect"
	"runtime/debug"
	"testing"

	ortgo "github.com/yalue/onnxruntime_go"
)

// When you raise the binding's version, check runtimeOptions: the only field of the binding's struct must still be the runtime's own
// OrtSessionOptions. Then raise the version here too.
func TestRuntimeOptions(t *testing.T) {
	t.Parallel()
	const seen = "v1.27.0"
	options := reflect.TypeFor[ortgo.SessionOptions]()
	if options.NumField() != 1 || options.Field(0).Name != "o" || options.Field(0).Type.Elem().Name() != "_Ctype_struct_OrtSessionOptions" {
		t.Errorf("SessionOptions is %v, its only field was the runtime's OrtSessionOptions", options.Field(0).Type)
	}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("the test was built without modules")
	}
	for _, module := range build.Deps {
		if module.Path == options.PkgPath() && module.Version != seen {
			t.Errorf("%s is %s; runtimeOptions was looked at in %s", module.Path, module.Version, seen)
		}
	}
	if err := Init(""); err != nil {
		t.Fatal(err)
	}
	made, err := ortgo.NewSessionOptions()
	if err != nil {
		t.Fatal(err)
	}
	defer made.Destroy()
	if native, err := runtimeOptions(made); err != nil || native == nil {
		t.Errorf("%v, %v", native, err)
	}
}

package ort

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	ortgo "github.com/yalue/onnxruntime_go"
)

// ErrProvider is returned for an execution provider that cannot be used: its name is unknown, the loaded library does not have it,
// or its device or driver is missing. The error that wraps it says which, and what to do.
var ErrProvider = errors.New("execution provider cannot be used")

// Provider is an execution provider of the runtime: what computes a session's operators. An operator that it has no kernel for runs
// on the CPU. The zero value is the CPU.
type Provider struct {
	Name    string            // "cpu", "cuda", "tensorrt", "coreml", "directml", "openvino", "webgpu", "xnnpack" or "migraphx"
	Options map[string]string // the provider's own, such as device_id
}

// providers append themselves to a session's options.
var providers = map[string]func(o *ortgo.SessionOptions, options map[string]string) error{
	"cpu":      func(*ortgo.SessionOptions, map[string]string) error { return nil },
	"cuda":     appendCUDA,
	"tensorrt": appendTensorRT,
	"coreml":   (*ortgo.SessionOptions).AppendExecutionProviderCoreMLV2,
	"directml": appendDirectML,
	"openvino": (*ortgo.SessionOptions).AppendExecutionProviderOpenVINO,
	"webgpu":   named("WebGPU"),
	"xnnpack":  named("XNNPACK"),
	"migraphx": named("MIGraphX"),
}

// ProviderNames lists what ParseProvider knows, the CPU first.
func ProviderNames() []string {
	names := slices.Sorted(maps.Keys(providers))
	return append([]string{"cpu"}, slices.DeleteFunc(names, func(n string) bool { return n == "cpu" })...)
}

// ParseProvider reads "cuda", "cuda:1" (the device's number) or "cuda:device_id=1,use_tf32=1" (the
// provider's own options). "" is the CPU.
func ParseProvider(text string) (Provider, error) {
	name, rest, more := strings.Cut(text, ":")
	p := Provider{Name: strings.ToLower(strings.TrimSpace(name))}
	if p.Name == "" {
		p.Name = "cpu"
	}
	if _, known := providers[p.Name]; !known {
		return Provider{}, fmt.Errorf("%w: %q is none of %s", ErrProvider, p.Name, strings.Join(ProviderNames(), ", "))
	}
	if !more {
		return p, nil
	}
	p.Options = map[string]string{}
	for option := range strings.SplitSeq(rest, ",") {
		key, value, pair := strings.Cut(strings.TrimSpace(option), "=")
		if _, err := strconv.Atoi(key); err == nil && !pair {
			key, value, pair = "device_id", key, true
		}
		if !pair || key == "" || value == "" {
			return Provider{}, fmt.Errorf("%w: %q: after %s: comes a device's number or key=value, not %q", ErrProvider, text, p.Name, option)
		}
		p.Options[key] = value
	}
	return p, nil
}

// String spells the provider as ParseProvider reads it.
func (p Provider) String() string {
	if p.Name == "" {
		return "cpu"
	}
	var options []string
	for _, key := range slices.Sorted(maps.Keys(p.Options)) {
		options = append(options, key+"="+p.Options[key])
	}
	if len(options) == 0 {
		return p.Name
	}
	return p.Name + ":" + strings.Join(options, ",")
}

// IsCPU reports whether nothing but the CPU computes.
func (p Provider) IsCPU() bool { return p.Name == "" || p.Name == "cpu" }

// compiles reports whether the provider may compile a graph for minutes when it first runs it with a shape.
func (p Provider) compiles() bool { return !p.IsCPU() && p.Name != "cuda" && p.Name != "xnnpack" }

// append adds the provider to a session's options.
func (p Provider) append(o *ortgo.SessionOptions) error {
	if p.IsCPU() {
		return nil
	}
	add, known := providers[p.Name]
	if !known {
		return fmt.Errorf("%w: %q is none of %s", ErrProvider, p.Name, strings.Join(ProviderNames(), ", "))
	}
	if err := add(o, p.Options); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrProvider, p, err)
	}
	return nil
}

// appendCUDA computes in whole float32 unless told otherwise: the runtime's own default, TF32, keeps ten
// bits of a product's mantissa, and scores would differ from those of a CPU in the third digit.
func appendCUDA(o *ortgo.SessionOptions, options map[string]string) error {
	cuda, err := ortgo.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer cuda.Destroy()
	all := map[string]string{"use_tf32": "0"}
	maps.Copy(all, options)
	if err := cuda.Update(all); err != nil {
		return err
	}
	return o.AppendExecutionProviderCUDA(cuda)
}

// appendTensorRT adds TensorRT, and after it CUDA for the operators that TensorRT does not support.
func appendTensorRT(o *ortgo.SessionOptions, options map[string]string) error {
	tensorRT, err := ortgo.NewTensorRTProviderOptions()
	if err != nil {
		return err
	}
	defer tensorRT.Destroy()
	if len(options) > 0 {
		if err := tensorRT.Update(options); err != nil {
			return err
		}
	}
	if err := o.AppendExecutionProviderTensorRT(tensorRT); err != nil {
		return err
	}
	behind := map[string]string{}
	if device, given := options["device_id"]; given { // the same device as TensorRT's
		behind["device_id"] = device
	}
	return appendCUDA(o, behind)
}

func appendDirectML(o *ortgo.SessionOptions, options map[string]string) error {
	device, err := strconv.Atoi(options["device_id"])
	if options["device_id"] != "" && err != nil {
		return fmt.Errorf("device_id %q is no number", options["device_id"])
	}
	// DirectML plans memory itself and refuses the runtime's patterns.
	if err := o.SetMemPattern(false); err != nil {
		return err
	}
	return o.AppendExecutionProviderDirectML(device)
}

// named appends a provider that the runtime knows by name.
func named(name string) func(*ortgo.SessionOptions, map[string]string) error {
	return func(o *ortgo.SessionOptions, options map[string]string) error {
		return o.AppendExecutionProvider(name, options)
	}
}

package manifest

import (
	"math"
	"strings"
	"testing"
)

func TestScale(t *testing.T) {
	t.Parallel()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		mean, std   []float32
		field, says string
	}{
		"ImageNet":                        {[]float32{0.485, 0.456, 0.406}, []float32{0.229, 0.224, 0.225}, "", ""},
		"-1 to 1":                         {[]float32{0.5}, []float32{0.5}, "", ""},
		"x/255":                           {[]float32{0}, []float32{1}, "", ""},
		"0 to 255":                        {[]float32{0}, []float32{1.0 / 255}, "", ""},
		"0 to 255, rounded":               {[]float32{0.485}, []float32{0.0039}, "", ""},
		"0 to 255, to six digits":         {[]float32{0.485}, []float32{0.003922}, "", ""},
		"the mean of white":               {[]float32{1}, []float32{0.1}, "", ""},
		"none given":                      {nil, nil, "", ""},
		"OpenMMLab":                       {[]float32{123.675, 116.28, 103.53}, []float32{58.395, 57.12, 57.375}, "mean", "divide by 255 (0.485)"},
		"Caffe":                           {[]float32{104, 117, 123}, []float32{1, 1, 1}, "mean", "1/255 = 0.00392157"},
		"one channel":                     {[]float32{0.5, 0.5, 127.5}, []float32{0.5, 0.5, 0.5}, "mean", "divide by 255 (0.5)"},
		"the deviation alone":             {[]float32{0.5}, []float32{127.5}, "std", "divide by 255 (0.5)"},
		"OpenCV's scale the wrong way up": {[]float32{0}, []float32{255}, "std", "divide by 255 (1)"},
		"divided twice":                   {[]float32{0.0019}, []float32{0.229 / 255}, "std", "twice"},
		"16 bits":                         {[]float32{0.5}, []float32{65535}, "std", "no deviation"},
		"below 0":                         {[]float32{-0.1}, []float32{1}, "mean", "want 0 to 1"},
		"-123.675":                        {[]float32{-123.675}, []float32{1}, "mean", "want 0 to 1"},
		"no number":                       {[]float32{nan}, []float32{1}, "mean", "NaN"},
		"without end":                     {[]float32{0}, []float32{inf}, "std", "+Inf"},
		"nothing":                         {[]float32{0}, []float32{0}, "std", "more than 0"},
	} {
		if field, reason := scale(c.mean, c.std); field != c.field || !strings.Contains(reason, c.says) {
			t.Errorf("%s: %q, %q, want %q and %q", name, field, reason, c.field, c.says)
		}
	}
}

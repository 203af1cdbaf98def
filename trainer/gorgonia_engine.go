package trainer

import (
	"errors"

	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// NewGorgoniaEngine compiles the training step of an ABN on Gorgonia.
func NewGorgoniaEngine(_ *onnx.ABN, _ Settings) (Engine, error) {
	return nil, errors.New("the gorgonia engine is not built yet")
}

func gorgoniaLacks(_ *onnx.ABN, _ Settings) ([]gradient.Reason, error) {
	return nil, errors.New("the gorgonia engine is not built yet")
}

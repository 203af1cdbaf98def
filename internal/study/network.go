package study

import (
	"fmt"

	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
)

// ready makes an opened ABN ready to run. name is what errors call it.
func ready(name string, opened *network.Network, threads int) (*inference.Network, error) {
	n, err := inference.NewNetwork(opened, inference.NetworkOptions{Session: ort.Options{IntraOpThreads: threads}})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}

package bench

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// OperatorProfile is the time that all nodes of one operator take in a step.
type OperatorProfile struct {
	Operator string  `json:"operator"`
	Calls    float64 `json:"calls"`
	MS       float64 `json:"ms"`
}

// readProfile sums the runtime's profile by operator, per step.
func readProfile(prefix string, steps int) ([]OperatorProfile, error) {
	files, err := filepath.Glob(prefix + "*.json")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("the runtime wrote no profile to %s*: %w", prefix, errors.Join(err, os.ErrNotExist))
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		return nil, err
	}
	var events []struct {
		Category string  `json:"cat"`
		Micros   float64 `json:"dur"`
		Name     string  `json:"name"`
		Args     struct {
			Operator string `json:"op_name"`
		} `json:"args"`
	}
	if err := json.Unmarshal(data, &events); err != nil {
		return nil, fmt.Errorf("reading the runtime's profile: %w", err)
	}
	sums := map[string]*OperatorProfile{}
	for _, e := range events {
		if e.Category != "Node" || e.Args.Operator == "" || e.Micros == 0 {
			continue
		}
		sum := sums[e.Args.Operator]
		if sum == nil {
			sum = &OperatorProfile{Operator: e.Args.Operator}
			sums[e.Args.Operator] = sum
		}
		sum.MS += e.Micros / 1e3 / float64(steps)
		sum.Calls += 1 / float64(steps)
	}
	var list []OperatorProfile
	for _, s := range sums {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b OperatorProfile) int { return cmp.Compare(b.MS, a.MS) })
	return list, nil
}

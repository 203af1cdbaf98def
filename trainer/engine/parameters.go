package engine

import "fmt"

// Load copies values, and momenta if given, into an engine's own parameters by name. A name that is not among own, or another
// length, is an error; all are checked before any is changed.
func Load(own, given []Parameter) error {
	byName := map[string]Parameter{}
	for _, p := range own {
		byName[p.Name] = p
	}
	for _, p := range given {
		mine, ok := byName[p.Name]
		switch {
		case !ok:
			return fmt.Errorf("loading parameters: %s is not trained here", p.Name)
		case len(p.Value) != len(mine.Value):
			return fmt.Errorf("loading parameters: %s has %d values, want %v", p.Name, len(p.Value), mine.Dims)
		case p.Momentum != nil && len(p.Momentum) != len(mine.Momentum):
			return fmt.Errorf("loading parameters: %s has %d momenta, want %d", p.Name, len(p.Momentum), len(mine.Momentum))
		case p.Second != nil && len(p.Second) != len(mine.Second):
			return fmt.Errorf("loading parameters: %s has %d second moments, want %d", p.Name, len(p.Second), len(mine.Second))
		}
	}
	for _, p := range given {
		copy(byName[p.Name].Value, p.Value)
		copy(byName[p.Name].Momentum, p.Momentum)
		copy(byName[p.Name].Second, p.Second)
	}
	return nil
}

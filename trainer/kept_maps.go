package trainer

import (
	"fmt"
	"os"

	"github.com/abn-studio/studio/internal/attention"
)

// keptMaps are the maps of a list of images, by one network, in a file of the round's folder: of 100,000 images they would take 80 MB of memory for each network.
// One goroutine adds them; then any may read.
type keptMaps struct {
	file          *os.File
	height, width int
	count         int
}

// newKeptMaps makes an empty file in a folder. close removes it.
func newKeptMaps(folder string, height, width int) (*keptMaps, error) {
	file, err := os.CreateTemp(folder, "maps-*.tmp")
	if err != nil {
		return nil, fmt.Errorf("keep maps: %w", err)
	}
	_ = os.Remove(file.Name()) // so that nothing stays where the process is killed; some systems do it in close only
	return &keptMaps{file: file, height: height, width: width}, nil
}

func (k *keptMaps) size() int64 { return int64(4 * k.height * k.width) }

// add appends maps, one after the other in values.
func (k *keptMaps) add(values []float32) error {
	if _, err := k.file.WriteAt(attention.Map{Values: values}.Bytes(), int64(k.count)*k.size()); err != nil {
		return fmt.Errorf("keep maps: %w", err)
	}
	k.count += len(values) / (k.height * k.width)
	return nil
}

// at reads the map of the image at a place.
func (k *keptMaps) at(i int) (attention.Map, error) {
	data := make([]byte, k.size())
	if _, err := k.file.ReadAt(data, int64(i)*k.size()); err != nil {
		return attention.Map{}, fmt.Errorf("read a kept map: %w", err)
	}
	return attention.FromBytes(k.height, k.width, data)
}

func (k *keptMaps) close() {
	_ = k.file.Close()
	_ = os.Remove(k.file.Name())
}

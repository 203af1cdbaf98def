package main

import (
	"fmt"

	"github.com/abn-studio/studio/internal/memory"
	"github.com/abn-studio/studio/internal/picture"
)

// memoryFlags bound the memory for decoding pictures. Every command has them.
type memoryFlags struct {
	PictureMemoryMB int64 `name:"picture-memory-mb" env:"STUDIO_PICTURE_MEMORY_MB" placeholder:"MB" help:"Memory for all pictures that are decoded at the same time, in MiB (default: an eighth of the machine's or the container's)."`
	MaxPictureMB    int64 `name:"max-picture-mb" env:"STUDIO_MAX_PICTURE_MB" placeholder:"MB" help:"Memory that decoding one picture may take, in MiB; larger ones are refused (default: a quarter of the machine's or the container's, at most 2048)."`
}

// apply sets the bounds of this process, Go's own limit of memory among them.
func (f memoryFlags) apply() error {
	if f.PictureMemoryMB < 0 || f.MaxPictureMB < 0 {
		return fmt.Errorf("--picture-memory-mb %d, --max-picture-mb %d: want MiB, or 0 for the default", f.PictureMemoryMB, f.MaxPictureMB)
	}
	picture.SetLimits(picture.Limits{One: f.MaxPictureMB << 20, All: f.PictureMemoryMB << 20})
	return memory.Govern()
}

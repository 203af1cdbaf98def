// Package architecture builds networks to train from scratch, as the ONNX files PyTorch would export.
//
//	architecture.go  the networks known by name, and how their stages make an Attention Branch Network
//	blocks.go        layers and residual blocks of a ResNet
//	mobile.go        inverted residuals of a MobileNetV2
//
// It knows the layers only. Training the network is package trainer's, giving a published classifier an attention
// branch is onnx.Attach's.
package architecture

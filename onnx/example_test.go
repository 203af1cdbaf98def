package onnx_test

import (
	"context"
	"fmt"
	"log"
	"maps"
	"slices"

	"github.com/abn-studio/studio/onnx"
)

// The file of an Attention Branch Network, its nodes by operator, and where it comes apart.
func Example() {
	ctx := context.Background()
	m, err := onnx.ReadFile(ctx, "../testdata/reference/abn-resnet-tiny.onnx")
	if err != nil {
		log.Fatal(err)
	}
	count := map[string]int{}
	for _, n := range m.Graph.Nodes {
		count[n.Op]++
	}
	for _, op := range slices.Sorted(maps.Keys(count)) {
		fmt.Println(count[op], op)
	}

	parts, err := onnx.FindParts(ctx, m, onnx.PartNames{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("features %s [N, %d, %d, %d]\n", parts.Names.Features, parts.Channels, parts.Height, parts.Width)
	fmt.Printf("map %s [N, 1, %d, %d], which multiplies them as %s\n", parts.Names.Map, parts.Height, parts.Width, parts.Gain)
	fmt.Printf("logits %s, %s [N, %d]\n", parts.Names.LogitsAtt, parts.Names.LogitsPer, parts.Classes)
	// Output:
	// 6 Add
	// 18 BatchNormalization
	// 18 Conv
	// 1 Flatten
	// 1 Gemm
	// 1 GlobalAveragePool
	// 1 MaxPool
	// 1 Mul
	// 1 ReduceMean
	// 12 Relu
	// 1 Sigmoid
	// features /extractor/extractor.6/extractor.6.0/Relu_1_output_0 [N, 32, 4, 4]
	// map attention [N, 1, 4, 4], which multiplies them as 1+M
	// logits logits_att, logits_per [N, 5]
}

// Split gives graphs that run by themselves. A live score needs the perception branch alone: cached features and a person's map.
func ExampleSplit() {
	ctx := context.Background()
	m, err := onnx.ReadFile(ctx, "../testdata/reference/abn-resnet-tiny.onnx")
	if err != nil {
		log.Fatal(err)
	}
	parts, err := onnx.FindParts(ctx, m, onnx.PartNames{})
	if err != nil {
		log.Fatal(err)
	}
	abn, err := onnx.Split(ctx, m, parts)
	if err != nil {
		log.Fatal(err)
	}
	for _, input := range abn.Perception.Graph.Inputs {
		fmt.Println("takes", input.Name, input.Shape)
	}
	for _, output := range abn.Perception.Graph.Outputs {
		fmt.Println("gives", output.Name, output.Shape)
	}
	// Output:
	// takes features (N,32,4,4)
	// takes map (N,1,4,4)
	// gives logits_per (N,5)
}

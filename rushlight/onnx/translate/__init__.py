"""Translations of operators to ONNX, a module for each family; `rushlight.onnx._table` lists them.

A translation says one operator in nodes of ONNX (https://onnx.ai/onnx/operators/). Its arguments
are those of the public function. To add one: a function under `translates` in its family.
"""

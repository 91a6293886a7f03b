"""Pretrained audio representations in music recommendation: data, recommenders, evaluation."""

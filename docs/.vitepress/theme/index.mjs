// The tool's own look, and the captions of blocks.
import theme from 'vitepress/theme';
import './captions.css';

export default theme;
